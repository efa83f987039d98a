"""What came of made-up months: of one, and of many as a table."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from metering.quantities import to_text


@dataclass
class MonthReport:
    """What came of one month. Quantities are micro-units.

    Attributes:
        problems: what is not as it has to be, in sentences; none is right.
        at: how far the clock came.
        faults: how many of each kind befell a call.
        meanwhile: what others did in the midst of a call.
        decisions: what a person decided.
        sent: events as they were sent, again and again.
        accepted: distinct events that were acknowledged.
        billed: what AWS will invoice.
        named: what the balance names instead, by part and reason.
        lost: accepted, and neither billed nor named.
        doubled: billed or named more than was accepted.
        imbalances: findings of the auditor, unbalanced balances, and slots of AWS that no record explains.
    """

    seed: int
    hours: int
    subscriptions: int
    problems: list[str] = field(default_factory=list)
    at: str = ""
    faults: dict[str, int] = field(default_factory=dict)
    meanwhile: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    accepted: int = 0
    billed: int = 0
    lost: int = 0
    doubled: int = 0
    imbalances: int = 0
    cycles: int = 0
    calls: int = 0
    audits: int = 0
    cpu_seconds: float = 0.0

    @property
    def is_right(self) -> bool:
        return not (self.problems or self.lost or self.doubled or self.imbalances)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def table(reports: list[MonthReport], failed: int) -> str:
    """What a person reads.

    Args:
        reports: of the months that ended.
        failed: how many did not end, or not as they have to.
    """

    def total(name: str) -> int:
        return sum(getattr(report, name) for report in reports)

    def by_kind(name: str) -> Counter[str]:
        return sum((Counter(getattr(report, name)) for report in reports), Counter())

    faults, meanwhile = by_kind("faults"), by_kind("meanwhile")
    lines = [
        ("seeds run", f"{len(reports)}"),
        ("hours lived", f"{total('hours'):,}"),
        ("subscriptions", f"{total('subscriptions'):,}"),
        ("calls to DynamoDB", f"{total('calls'):,}"),
        ("metering cycles", f"{total('cycles'):,}"),
        ("audits", f"{total('audits'):,}"),
        ("faults injected", f"{faults.total():,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(faults.items())),
        ("others at work in the midst of a call", f"{meanwhile.total():,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(meanwhile.items())),
        ("events sent", f"{total('sent'):,}"),
        ("events accepted", f"{total('accepted'):,}"),
        ("units billed", to_text(total("billed"))),
        *((f"  {what}", to_text(micro)) for what, micro in sorted(by_kind("named").items())),
        *((f"  records {what}", f"{count:,}") for what, count in sorted(by_kind("outcomes").items())),
        *((f"  a person: {what}", f"{count:,}") for what, count in sorted(by_kind("decisions").items())),
        ("processor time", f"{sum(report.cpu_seconds for report in reports):,.0f} s"),
        ("months that went wrong", f"{failed}"),
        ("lost", to_text(total("lost"))),
        ("doubled", to_text(total("doubled"))),
        ("imbalances", f"{total('imbalances')}"),
    ]
    return "\n".join(f"  {name:<48} {value:>28}" for name, value in lines)
