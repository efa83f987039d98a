"""Writes docs/metrics.md from the metrics that the processes register, so that the page cannot say anything
else than they do.

    python -m tools.metrics_page            write the page
    python -m tools.metrics_page --check    exit 1 if the page is not what would be written

Each service is asked in its own virtual environment.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"
ALERTS = ROOT / "observability" / "alerts.yaml"
SERVICES = ("registration", "notifications", "metering")
PREFIX = "marketplane_"

HEAD = """# Metrics

What each process shows at `GET /metrics`, in Prometheus's text format: a web process beside its API, a
worker at its `HOST` and `PORT`. No scrape reads a table or calls AWS. This page is made from what the
processes register by `python -m tools.metrics_page` (`make metrics`); change it there.

Every process of a service shows all metrics of that service. *Moved by* says in which of them a metric
ever moves; in the others it stands at its first value (a moment at 0, a time that is left at infinity).
So alarms and dashboard take the greatest, or the least, of all processes, and never the value of one. A
web process with several workers (`WEB_WORKERS`) adds up their counters; its gauges bear the label `pid`,
but for the clock's, of which the newest counts.

`python -m metering submit --once`, which takes one round and ends, shows none: run a worker where you
want alarms.

The alarms stand in `observability/alerts.yaml`, each with a page in [runbooks](runbooks/README.md); the
dashboard is `observability/dashboard.json`. Beside these there is what Prometheus's client for Python
shows by itself (`process_…`, `python_…`).
"""

WEB, WORKER = "web", "worker"
MOVED_BY = {
    "marketplane_http_requests_total": (WEB,),
    "marketplane_http_request_seconds": (WEB,),
    "marketplane_rate_limit_refusals_total": (WEB,),
    "marketplane_queue_messages_total": (WORKER,),
    "marketplane_dead_letters": (WORKER,),
    "marketplane_clock_skew_seconds": (WEB, WORKER),
    "marketplane_outbox_sent_total": (WORKER,),
    "marketplane_outbox_pending": (WORKER,),
    "marketplane_loop_failures_total": (WORKER,),
    "marketplane_loop_last_success_timestamp_seconds": (WORKER,),
    "marketplane_registration_arrivals_total": (WEB,),
    "marketplane_registration_bound_total": (WEB, WORKER),
    "marketplane_registration_renewals_elsewhere": (WORKER,),
    "marketplane_registration_claims_refused_total": (WEB,),
    "marketplane_registration_outbox_done_total": (WEB, WORKER),
    "marketplane_registration_outbox_failed_total": (WEB, WORKER),
    "marketplane_registration_outbox_items": (WORKER,),
    "marketplane_registration_outbox_oldest_seconds": (WORKER,),
    "marketplane_notifications_total": (WORKER,),
    "marketplane_notifications_unknown_total": (WEB, WORKER),
    "marketplane_notifications_attention_total": (WEB, WORKER),
    "marketplane_notifications_posts_total": (WEB,),
    "marketplane_notifications_untold_seconds": (WORKER,),
    "marketplane_marketplace_questions_total": (WORKER,),
    "marketplane_marketplace_questions_due": (WORKER,),
    "marketplane_webhook_attempts_total": (WORKER,),
    "marketplane_webhook_deliveries_dead_total": (WORKER,),
    "marketplane_webhook_overdue_seconds": (WORKER,),
    "marketplane_usage_events_total": (WEB, WORKER),
    "marketplane_usage_requests_per_write": (WEB,),
    "marketplane_usage_requests_refused_by_pressure_total": (WEB,),
    "marketplane_batch_meter_usage_calls_total": (WORKER,),
    "marketplane_metering_records_settled_total": (WORKER,),
    "marketplane_metering_records_due": (WORKER,),
    "marketplane_metering_records_waiting_for_a_person": (WORKER,),
    "marketplane_metering_hours_written_off_total": (WORKER,),
    "marketplane_metering_window_left_seconds": (WORKER,),
    "marketplane_metering_sender_stopped": (WORKER,),
    "marketplane_metering_product_stopped": (WORKER,),
    "marketplane_metering_endpoints": (WORKER,),
    "marketplane_metering_last_cycle_timestamp_seconds": (WORKER,),
    "marketplane_metering_last_step_timestamp_seconds": (WORKER,),
    "marketplane_metering_last_audit_timestamp_seconds": (WORKER,),
    "marketplane_metering_imbalances": (WORKER,),
}


@dataclass(frozen=True)
class Shown:
    """A metric as a process registers it.

    Attributes:
        name: as it is asked for; a histogram without `_bucket`, `_sum` and `_count`.
        kind: `counter`, `gauge` or `histogram`.
        labels: its own, without those that Prometheus adds.
        meaning: its help.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def main(words: list[str]) -> int:
    if words[:1] == ["--of"]:
        print(json.dumps(registered_here(words[1])))
        return 0
    page = written()
    if "--check" in words:
        if not PAGE.exists() or PAGE.read_text() != page:
            print("docs/metrics.md is out of date: run `python -m tools.metrics_page`.")
            return 1
        return 0
    PAGE.write_text(page)
    print(f"{PAGE.relative_to(ROOT)} is written.")
    return 0


def written() -> str:
    """The page as it should be."""
    found = every_metric()
    names = {metric.name for metrics in found.values() for metric in metrics}
    if unlike := names ^ MOVED_BY.keys():
        sys.exit(f"MOVED_BY of tools/metrics_page.py and the metrics differ: {', '.join(sorted(unlike))}.")
    alarms = alarms_by_metric()
    sections = [HEAD]
    for owner, metrics in found.items():
        title = "Every process" if owner == "chassis" else owner.capitalize()
        lines = [
            f"## {title}",
            "",
            "| metric | kind | labels | moved by | meaning | alarms |",
            "|---" * 6 + "|",
        ]
        lines += [_row(metric, alarms.get(metric.name, [])) for metric in metrics]
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


@cache
def every_metric() -> dict[str, list[Shown]]:
    """All metrics, by whose they are: `chassis` for those that every service has."""
    common = _asked("chassis", SERVICES[0])
    known = {metric.name for metric in common}
    return {"chassis": common} | {
        service: [metric for metric in _asked(service, service) if metric.name not in known]
        for service in SERVICES
    }


def alarms_by_metric() -> dict[str, list[str]]:
    """The names of the alarms that look at each metric."""
    import yaml

    found: dict[str, list[str]] = {}
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            for name in sorted(set(re.findall(rf"{PREFIX}\w+", rule["expr"]))):
                found.setdefault(name, []).append(rule["alert"])
    return found


def page_of(alarm: str) -> str:
    """The file name of an alarm's runbook: `NoMeteringRun` has `no-metering-run.md`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", alarm).lower() + ".md"


def _row(metric: Shown, alarms: Iterable[str]) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    links = ", ".join(f"[{alarm}](runbooks/{page_of(alarm)})" for alarm in alarms)
    moved_by = ", ".join(MOVED_BY[metric.name])
    return f"| `{metric.name}` | {metric.kind} | {labels} | {moved_by} | {metric.meaning} | {links} |"


def _asked(package: str, environment: str) -> list[Shown]:
    """The metrics of one package, asked in the environment where it is installed."""
    python = ROOT / ".venv" / environment / "bin" / "python"
    if not python.exists():
        sys.exit(f".venv/{environment} is missing: run `make setup`.")
    done = subprocess.run(
        [str(python), "-W", "ignore", str(Path(__file__)), "--of", package],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"The metrics of {package} cannot be read.\n{done.stderr}")
    return [
        Shown(name, kind, tuple(labels), meaning) for name, kind, labels, meaning in json.loads(done.stdout)
    ]


def registered_here(package: str) -> list[tuple[str, str, list[str], str]]:
    """Name, kind, labels and help of each metric of a package that is installed here."""
    import importlib

    registry = importlib.import_module("prometheus_client").REGISTRY
    importlib.import_module("chassis.metrics" if package == "chassis" else f"{package}.app")
    collectors: Iterable[Any] = set(registry._names_to_collectors.values())
    ours = [one for one in collectors if getattr(one, "_name", "").startswith(PREFIX)]
    return sorted(
        (
            one._name + ("_total" if one._type == "counter" else ""),
            one._type,
            list(one._labelnames),
            one._documentation,
        )
        for one in ours
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
