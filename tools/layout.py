"""Which file of a service is a door, a hand, or a rule. Rules are all that has no fixed name (see
ARCHITECTURE.md)."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("registration", "notifications", "metering")
DOORS = {"api", "landing", "pages", "worker"}
HANDS = {"tables", "marketplace", "queues"}
ASSEMBLY = {"app", "asgi", "parts", "settings", "__main__"}
WIRE = {"schemas", "problems"}  # messages and rows become values and back; refusals become problem documents
# More than the fixed names stand at the edges: other hands (mail, the seller's back end, sign-in, books, log
# and metrics), and the files that join hands and rules step by step, whose order and failures are their own
# subject.
AT_THE_EDGE_OF = {
    "registration": {
        "log_sentences",
        "mail",
        "measures",
        "outbox_work",
        "seller_backend",
        "sign_in_providers",
    },
    "notifications": {"doors", "sns_certificates", "webhook_call", "webhooks"},
    "metering": {
        "auditor",
        "cycle",
        "dry_run",
        "endpoint_desk",
        "endpoint_tracker",
        "endpoints",
        "folder",
        "group_commit",
        "held_usage",
        "intake",
        "log_writer",
        "measures",
        "pace",
        "paper",
        "planner",
        "present_caller",
        "quick_writes",
        "reconciler",
        "reconciliations",
        "record_desk",
        "run_now",
        "sender",
        "statements",
        "usage_log",
        "usage_queue",
        "zero_planner",
    },
}


def source(service: str) -> Path:
    return ROOT / "services" / service / "src" / service


def modules(service: str) -> list[str]:
    """The service's modules, dotted, without the package itself."""
    folder = source(service)
    paths = sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")
    return [".".join(path.relative_to(folder).with_suffix("").parts) for path in paths]


def is_rule(service: str, module: str) -> bool:
    edges = DOORS | HANDS | ASSEMBLY | WIRE | AT_THE_EDGE_OF.get(service, set())
    return not set(module.split(".")) & edges


def rules(service: str) -> list[str]:
    """The modules that hold the service's decisions."""
    return [module for module in modules(service) if is_rule(service, module)]


def rule_files(service: str) -> list[Path]:
    return [source(service).joinpath(*module.split(".")).with_suffix(".py") for module in rules(service)]
