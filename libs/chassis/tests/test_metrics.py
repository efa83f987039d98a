"""What is counted, of one process and of several."""

import os
import subprocess
import sys
from pathlib import Path

COUNT = """
from chassis import metrics
metrics.MESSAGES.labels("news", "handled").inc(2)
metrics.OUTBOX_PENDING.set({pending})
"""
SHOW = "from chassis import metrics; print(metrics.exposition().decode())"


def python(program: str, folder: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_several_processes_of_one_role_are_counted_as_one(tmp_path: Path) -> None:
    for pending in (3, 8, 5):
        python(COUNT.format(pending=pending), tmp_path)
    shown = python(SHOW, tmp_path).splitlines()
    assert 'marketplane_queue_messages_total{outcome="handled",queue="news"} 6.0' in shown
    # The largest, not the sum: each process found the same items.
    assert "marketplane_outbox_pending 8.0" in shown


def test_one_process_shows_its_own_registry() -> None:
    from chassis import metrics

    metrics.OUTBOX_SENT.labels("only-here").inc()
    assert b'marketplane_outbox_sent_total{queue="only-here"} 1.0' in metrics.exposition()
