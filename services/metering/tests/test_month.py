"""Made-up months: AWS's bill is what was used, less what the balance names, whatever goes wrong.

`make faults` plays many more, and whole ones; see `play_months.py`.
"""

from month_report import MonthReport
from play_months import Month, play, play_all

SEEDS = (1001, 1002, 1003, 1004)


def test_prior_art_01_02_11_16_made_up_months_are_billed_to_the_unit() -> None:
    played = list(play_all(map(Month, SEEDS)))
    assert [str(one) for one in played if not one.is_right] == []
    # They were not only quiet.
    reports = [one.report for one in played if one.report]
    assert total(reports, "accepted") > 300
    assert total(reports, "billed") > 0
    assert sum(sum(one.faults.values()) for one in reports) > 200
    assert sum(sum(one.meanwhile.values()) for one in reports) > 10
    assert total(reports, "audits") >= len(reports)


def test_a_defect_is_found() -> None:
    """`make faults` puts in more of them."""
    found = play(Month(1001, "every_sending_counts"))
    assert found.report
    assert not found.is_right


def total(reports: list[MonthReport], name: str) -> int:
    return sum(getattr(report, name) for report in reports)
