"""The page of costs is what is reckoned, from the templates as they are and from measured figures."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tools import aws_prices, costs, costs_page
from tools.aws_prices import PRICES, Price
from tools.costs import ROOT, SIZES, Size, Tasks, items, running

SMALL, MIDDLE, LARGE = SIZES


def test_the_page_is_up_to_date() -> None:
    assert costs_page.PAGE.read_text() == costs_page.written(), "run `make costs`"


def test_what_was_measured_stands_where_it_is_said_to() -> None:
    bench = (ROOT / "bench/metering/README.md").read_text()
    assert f"| {costs.WRITE_UNITS_OF_MILLION_IN_HUNDREDS:,} |" in bench
    assert f"{costs.READ_UNITS_OF_MILLION_IN_HUNDREDS:,} · " in bench
    performance = (ROOT / "docs/performance.md").read_text()
    assert f"${PRICES['DynamoDB write'].dollars} for a million write units" in performance
    assert f"${PRICES['DynamoDB read'].dollars} for a million read units" in performance
    metering = (ROOT / "services/metering/README.md").read_text()
    assert f"some {costs.READ_UNITS_OF_AUDIT:,} read units an audit" in metering
    news = (ROOT / "bench/notifications/README.md").read_text()
    units = re.findall(r"^ +(?:applied|told) +([\d.]+) +([\d.]+)$", news, re.MULTILINE)
    assert sum(float(one) for pair in units for one in pair) == pytest.approx(costs.WRITE_UNITS_OF_NEWS)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FOLD_SECONDS", costs.FOLD_SECONDS), ("AUDIT_EVERY_MINUTES", costs.AUDIT_EVERY_MINUTES)],
)
def test_settings_are_at_their_defaults(variable: str, value: float) -> None:
    assert f"| `{variable}` | `{value:.1f}` |" in (ROOT / "docs/settings.md").read_text()


def test_what_runs_is_what_the_templates_keep_running() -> None:
    # Web twice and a worker of each: 512 and 256, 512 and 512, 1024 and 1024 CPU units.
    assert running() == Tasks(9, 5.75, 11.5)
    with pytest.raises(LookupError, match="has no Nothing"):
        costs.default("metering", "Nothing")


def test_fargate_by_hand() -> None:
    always = 730 * (5.75 * 0.04048 + 11.5 * 0.004445)
    hourly_run = 730 / 60 * (1 * 0.04048 + 2 * 0.004445)
    assert items(SMALL)["Fargate"] == pytest.approx(always + hourly_run)


def test_the_usage_log_by_hand() -> None:
    # A million events, each a write unit of its own; a thousand million by the hundred at 27,300 a million.
    assert items(SMALL)["DynamoDB writes: usage log"] == pytest.approx(0.625)
    assert items(LARGE)["DynamoDB writes: usage log"] == pytest.approx(1000 * 0.0273 * 0.625)


def test_the_audit_grows_with_what_is_kept() -> None:
    # 14.6 million records a month, twelve months of them, 730 times read at 0.2 units each.
    assert items(LARGE)["DynamoDB reads: the hourly audit"] == pytest.approx(14.6 * 12 * 730 * 0.2 * 0.125)


def test_a_fold_writes_no_row_twice_and_none_without_events() -> None:
    folds = costs.SECONDS / costs.FOLD_SECONDS
    seldom = Size(10_000, 1_000, 1)
    assert seldom.folded_rows() == pytest.approx(1_000, rel=0.01)
    busy = Size(1, 10**12, 1_000)
    assert busy.folded_rows() == pytest.approx(folds * costs.DIMENSIONS)


def test_there_are_no_more_records_than_events() -> None:
    assert Size(1_000, 500, 1).records == 500
    assert SMALL.records == 50 * costs.DIMENSIONS * costs.HOURS


def test_no_item_costs_less_at_a_larger_size() -> None:
    for name, small in items(replace(SMALL, events_in_request=100)).items():
        assert small <= items(MIDDLE)[name] + 1e-9 <= items(LARGE)[name] + 2e-9, name


def test_own_prices_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    before = items(SMALL)["Fargate"]
    monkeypatch.setitem(aws_prices.PRICES, "Fargate vCPU", Price(0.0, "vCPU hour", "ours"))
    assert items(SMALL)["Fargate"] < before


def test_no_more_digits_than_anybody_knows() -> None:
    assert [costs_page.shown(amount) for amount in (0.4, 1.6, 14.4, 207.8, 3197.4, 12_345)] == [
        "under 1", "2", "14", "210", "3,200", "12,000",
    ]  # fmt: skip


def test_a_size_of_ones_own_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert costs_page.main(["--size", "300", "20000000", "100"]) == 0
    assert "300 subscriptions, 20 million events, 100 in a request" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        costs_page.main(["--size", "0", "1", "1"])


def test_each_price_says_where_it_was_read() -> None:
    assert [name for name, price in PRICES.items() if not price.source or price.dollars <= 0] == []
