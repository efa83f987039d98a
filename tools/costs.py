"""What AWS charges a seller for Marketplane in a month, item by item, at a given size. No AWS is asked.

Figures are those measured on the pages that stand beside them; what nobody has measured is an assumption
with a name of its own. All per month of 730 hours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.aws_prices import MILLION, dollars

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "infrastructure"
SERVICES = ("registration", "notifications", "metering")
HOURS = 730
SECONDS = HOURS * 3600
KB, GB = 1_000, 1_000_000_000

# Measured: bench/metering/README.md and docs/performance.md.
WRITE_UNITS_OF_MILLION_IN_HUNDREDS = 27_300
WRITE_UNITS_OF_MILLION_SINGLE = 1_000_000
"""One event a request and little traffic: each is a write of its own, of one unit."""
READ_UNITS_OF_MILLION_IN_HUNDREDS = 6_600
READ_UNITS_OF_MILLION_SINGLE = 1_000_000
"""Each segment is read by itself: one unit, consistently."""
WRITE_UNITS_OF_FOLDED_ROW = 1
WRITE_UNITS_OF_FOLDED_HOUR = 2
# Measured: services/metering/README.md, "The audit". A million ledger rows and as many records.
READ_UNITS_OF_AUDIT = 200_000
# Measured: bench/notifications/README.md, applied and told, items and indexes.
WRITE_UNITS_OF_NEWS = 5.31 + 3.84 + 1.50 + 0.75
# Counted from services/metering/src/metering/tables/record_store.py, for rows of one KB at most: the record
# and its source in one transaction (4), begun (1), settled (1), the index of due records put and removed
# (2), the ledger's mark of what is not billed, put and removed (2).
WRITE_UNITS_OF_RECORD = 10

# The defaults of docs/settings.md.
FOLD_SECONDS = 5
AUDIT_EVERY_MINUTES = 60
LOG_RETENTION_MONTHS = 400 / 30.4

# Assumed: nobody has measured them, and they differ from seller to seller.
DIMENSIONS = 2
"""That each subscription uses, and uses in each hour of the month."""
NEWS_OF_SUBSCRIPTION = 1
"""Messages of AWS about it in a month."""
BYTES_OF_EVENT = 200
"""In JSON, as it comes through the load balancer."""
BYTES_OF_SEGMENT_OF_ONE = 500
BYTES_OF_RECORD = 1_500
"""A metering record and its ledger row."""
BYTES_OF_REQUEST_LOGGED = 500
QUIET_LOG_GB = 2
"""What all tasks log while nothing comes in."""
METRICS_OF_CONTAINER_INSIGHTS = 100
POLLERS = 8
"""Receivers that wait 20 seconds each at one of the four queues."""
ZONES = 2
"""With a NAT gateway each; DynamoDB by a gateway endpoint, which costs nothing."""
MONTHS_KEPT = 12
"""Nothing of the usage log and of the books is deleted: this is the twelfth month's bill."""
SUBMIT_MINUTES = 1
"""Of the hourly run."""


@dataclass(frozen=True)
class Size:
    """A seller: how many subscriptions, usage events a month, and events in a request."""

    subscriptions: int
    events: int
    events_in_request: int

    @property
    def rows(self) -> int:
        """Pairs of a subscription and a dimension."""
        return self.subscriptions * DIMENSIONS

    @property
    def records(self) -> int:
        """Metering records a month: one for each pair and hour with usage."""
        return min(self.rows * HOURS, self.events)

    @property
    def requests(self) -> float:
        return self.events / self.events_in_request

    def folded_rows(self) -> float:
        """Ledger rows that folds write: those with events since the last one.

        Events are taken to be spread evenly, which makes most rows; what comes in bunches costs less.
        """
        folds = SECONDS / FOLD_SECONDS
        untouched: float = (1 - 1 / self.rows) ** (self.events / folds)
        return folds * self.rows * (1 - untouched)


SIZES = (Size(50, MILLION, 1), Size(1_000, 50 * MILLION, 100), Size(10_000, 1_000 * MILLION, 100))


@dataclass(frozen=True)
class Tasks:
    """What runs all the time, by the templates' defaults: how many, and what of all in sum."""

    count: int
    vcpus: float
    gigabytes: float


def items(size: Size) -> dict[str, float]:
    """Dollars a month, by item, in the order of the page."""
    alone = size.events_in_request == 1
    of_million = WRITE_UNITS_OF_MILLION_SINGLE if alone else WRITE_UNITS_OF_MILLION_IN_HUNDREDS
    read_of_million = READ_UNITS_OF_MILLION_SINGLE if alone else READ_UNITS_OF_MILLION_IN_HUNDREDS
    millions = size.events / MILLION
    folds = min(SECONDS / FOLD_SECONDS, size.events)
    written = {
        "usage log": millions * of_million,
        "ledger": size.folded_rows() * WRITE_UNITS_OF_FOLDED_ROW + folds * WRITE_UNITS_OF_FOLDED_HOUR,
        "records": size.records * WRITE_UNITS_OF_RECORD,
        "news": size.subscriptions * NEWS_OF_SUBSCRIPTION * WRITE_UNITS_OF_NEWS,
    }
    audits = HOURS * 60 / AUDIT_EVERY_MINUTES
    logged = QUIET_LOG_GB + size.requests * BYTES_OF_REQUEST_LOGGED / GB
    return {
        "DynamoDB writes: usage log": dollars("DynamoDB write", written["usage log"] / MILLION),
        "DynamoDB writes: ledger, while hours are open": dollars(
            "DynamoDB write", written["ledger"] / MILLION
        ),
        "DynamoDB writes: metering records": dollars("DynamoDB write", written["records"] / MILLION),
        "DynamoDB writes: news": dollars("DynamoDB write", written["news"] / MILLION),
        "DynamoDB reads: usage log, and the folds' questions": dollars(
            "DynamoDB read", (millions * read_of_million + SECONDS / FOLD_SECONDS * writers() * 2) / MILLION
        ),
        "DynamoDB reads: the hourly audit": dollars(
            "DynamoDB read", audits * READ_UNITS_OF_AUDIT * size.records * MONTHS_KEPT / MILLION / MILLION
        ),
        "DynamoDB storage": dollars("DynamoDB storage", kept(size)),
        "DynamoDB recovery to any second": dollars("DynamoDB recovery (PITR)", kept(size)),
        "Fargate": fargate(),
        "load balancer": dollars("load balancer", HOURS)
        + dollars("load balancer's capacity", size.events * BYTES_OF_EVENT / GB),
        "NAT gateways": dollars("NAT gateway", HOURS * ZONES) + dollars("NAT gateway's traffic", logged),
        "public addresses": dollars("public address", HOURS * ZONES * 2),
        "CloudWatch logs": dollars("logs taken in", logged)
        + dollars("logs kept", logged * min(LOG_RETENTION_MONTHS, MONTHS_KEPT)),
        "CloudWatch metrics": dollars("metric of one's own", METRICS_OF_CONTAINER_INSIGHTS),
        "CloudWatch alarms and dashboards": dollars("alarm", found("AWS::CloudWatch::Alarm"))
        + dollars("dashboard", found("AWS::CloudWatch::Dashboard")),
        "SQS": dollars("SQS request", POLLERS * SECONDS / 20 / MILLION),
        "Secrets Manager": dollars("secret", found("AWS::SecretsManager::Secret")),
    }


def kept(size: Size) -> float:
    """Gigabytes in tables after `MONTHS_KEPT`. Of events sent by the hundred no more lies there than was
    written."""
    of_event = (
        BYTES_OF_SEGMENT_OF_ONE
        if size.events_in_request == 1
        else WRITE_UNITS_OF_MILLION_IN_HUNDREDS * KB / MILLION
    )
    return MONTHS_KEPT * (size.events * of_event + size.records * BYTES_OF_RECORD) / GB


def writers() -> int:
    """Processes that write the usage log, each to parts of its own: two of each web task (`WEB_WORKERS`)."""
    return 2 * default("metering", "WebTasksLeast")


def fargate() -> float:
    """Of all that runs at all times, and of metering's hourly run."""
    runs = HOURS * SUBMIT_MINUTES / 60
    once = Tasks(1, default("metering", "WorkerCpu") / 1024, default("metering", "WorkerMemory") / 1024)
    return sum(
        dollars("Fargate vCPU", tasks.vcpus * hours) + dollars("Fargate memory", tasks.gigabytes * hours)
        for tasks, hours in ((running(), HOURS), (once, runs))
    )


def running() -> Tasks:
    """The least that the templates keep running; the sizes here need no more."""
    count, vcpus, gigabytes = 0, 0.0, 0.0
    for service in SERVICES:
        for role in ("Web", "Worker"):
            tasks = default(service, f"{role}TasksLeast")
            count += tasks
            vcpus += tasks * default(service, f"{role}Cpu") / 1024
            gigabytes += tasks * default(service, f"{role}Memory") / 1024
    return Tasks(count, vcpus, gigabytes)


def default(service: str, parameter: str) -> int:
    """The default of a number among a service's parameters.

    Raises:
        LookupError: the template says it otherwise, or no more.
    """
    text = (TEMPLATES / f"{service}.yaml").read_text()
    found = re.search(rf'^  {parameter}: \{{.*?Default: "?(\d+)"?[,}}]', text, re.MULTILINE)
    if found is None:
        raise LookupError(f"infrastructure/{service}.yaml has no {parameter} with a default.")
    return int(found[1])


def found(kind: str) -> int:
    """How many resources of a kind the templates of one installation make."""
    templates = [path for path in TEMPLATES.glob("*.yaml") if path.stem != "legacy-product"]
    return sum(len(re.findall(rf"^    Type: {kind}$", path.read_text(), re.MULTILINE)) for path in templates)
