"""Server processes that add up their metrics leave nothing behind, and remove what killed ones left."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chassis import metrics_folder

Launch = Callable[..., Any]


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def make_in_a_process_that_ends(temporary: Path, program: str = "") -> Path:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from chassis import metrics_folder\nprint(metrics_folder.make())\n{program}",
        ],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return Path(done.stdout.strip())


def test_what_a_dead_start_left_is_removed_and_what_a_living_one_uses_is_not(temporary: Path) -> None:
    dead = make_in_a_process_that_ends(temporary)
    (dead / "counter_7.db").write_bytes(b"counted")
    living = Path(metrics_folder.make())
    assert [living] == list(temporary.iterdir())
    other = Path(metrics_folder.make())
    assert {living, other} == set(temporary.iterdir())


def test_it_stays_locked_in_the_program_that_the_process_becomes(temporary: Path) -> None:
    become = f"import os, sys; sys.stdout.flush(); os.execv(sys.executable, [sys.executable, '-c', {ASK!r}])"
    assert make_in_a_process_that_ends(temporary, become).exists()


# Whether the folder that was made before is still locked: another one is made, and the first must survive.
ASK = "from chassis import metrics_folder; metrics_folder.make()"


@pytest.mark.parametrize("name", ["metrics-foreign", "marketplane-metrics-file", "marketplane-metrics-link"])
def test_what_is_not_ours_is_let_be(
    temporary: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    foreign = temporary / name
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "theirs").touch()
    if name.endswith("file"):
        foreign.touch()
    elif name.endswith("link"):
        foreign.symlink_to(elsewhere)
    else:
        foreign.mkdir()
    metrics_folder.make()
    assert foreign.exists()
    assert (elsewhere / "theirs").exists()


def folders(temporary: Path) -> list[str]:
    return [path.name for path in temporary.iterdir() if metrics_folder.PREFIX in path.name]


def test_a_clean_stop_removes_it(aws_env: str, launch: Launch, temporary: Path) -> None:
    web = launch("web", ready="/healthz", WEB_WORKERS="2")
    assert len(folders(temporary)) == 1
    web.process.terminate()
    _, err = web.process.communicate(timeout=30)
    assert (web.process.returncode, err) == (0, "")
    assert folders(temporary) == []


def test_the_next_start_removes_what_a_killed_one_left(aws_env: str, launch: Launch, temporary: Path) -> None:
    (left := temporary / (metrics_folder.PREFIX + "left")).mkdir()
    (left / "counter_7.db").touch()
    web = launch("web", ready="/healthz", WEB_WORKERS="2")
    (folder,) = folders(temporary)
    assert folder != left.name
    # The workers write there.
    assert list((temporary / folder).glob("*.db"))
    web.wait_until_it_says("/metrics", "marketplane_http_requests_total")


def test_a_folder_that_was_given_is_the_givers(aws_env: str, launch: Launch, temporary: Path) -> None:
    (given := temporary / "given").mkdir()
    web = launch("web", ready="/healthz", WEB_WORKERS="2", PROMETHEUS_MULTIPROC_DIR=str(given))
    web.process.terminate()
    web.process.communicate(timeout=30)
    assert list(given.glob("*.db"))
    assert folders(temporary) == []
