"""What the alarms of observability/alerts.yaml look at: each condition is made, and the metric is seen to
move there and back."""

import math
import time
from typing import Any

import pytest
from house import LEGACY, House, at
from prometheus_client import REGISTRY
from shelf_marketplace import Fault, Refused
from structlog.testing import capture_logs

from metering.dry_run import DryRun
from metering.record_desk import RecordDesk
from metering.records import Decision
from metering.tables.models import LedgerRowModel

THREE_HOURS = 3 * 3600.0
THROTTLED = Fault(before=Refused("ThrottlingException"))


def sample(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, f"{name} {labels} is not shown"
    return found


def hour_used(house: House, **more: Any) -> str:
    """A subscription with usage of an hour that is sealed."""
    sub = house.buy(**more)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    return sub


@pytest.fixture(autouse=True)
def all_is_well(house: House) -> None:
    """Metrics outlive a test; a round on empty books sets them to what a quiet house shows."""
    house.run()
    house.new_auditor().audit()


def test_no_metering_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "marketplane_metering_last_cycle_timestamp_seconds"
    ended = sample(name)
    assert abs(ended - time.time()) < 600
    hour_used(house)
    house.aws.always = Fault(before=Refused("AccessDeniedException"))
    house.run_and_fail()
    assert sample(name) == ended, "a cycle that fails does not count as one"
    house.aws.always = None
    house.run()
    assert sample(name) > ended


def test_no_audit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "marketplane_metering_last_audit_timestamp_seconds"
    ended = sample(name)
    auditor = house.new_auditor()
    with monkeypatch.context() as patch:
        patch.setattr(auditor._ledger, "holders", _away)
        with pytest.raises(ConnectionError):
            auditor.audit()
    assert sample(name) == ended
    auditor.audit()
    assert sample(name) > ended


def _away() -> None:
    raise ConnectionError


def test_the_books_do_not_balance(house: House) -> None:
    name = "marketplane_metering_imbalances"
    sub = hour_used(house)
    house.run()
    house.new_auditor().audit()
    assert sample(name) == 0
    row = LedgerRowModel(sub, "gpu_hours#2026-11-22T10")
    row.update([LedgerRowModel.allocated.set(2_000_000)])
    house.new_auditor().audit()
    assert sample(name) > 0
    row.update([LedgerRowModel.allocated.set(3_000_000)])
    house.new_auditor().audit()
    assert sample(name) == 0


def due_left() -> float:
    return sample("marketplane_metering_window_left_seconds", stage="due")


def unplanned_left() -> float:
    return sample("marketplane_metering_window_left_seconds", stage="unplanned")


def test_an_hour_that_aws_does_not_take_nears_its_windows_end(house: House) -> None:
    sub = hour_used(house)
    house.aws.always = THROTTLED
    house.run()
    # Twenty-four hours from the hour's start, less our margin.
    assert due_left() == (24 - 1) * 3600 - 300 - 300
    house.clock.advance(hours=20)
    house.run()
    assert 0 < due_left() < THREE_HOURS
    house.aws.always = None
    house.run()
    assert due_left() == math.inf
    assert house.billed(sub) == "3"


def test_a_record_of_a_subscription_that_ends_has_until_its_last_moment(house: House) -> None:
    sub, other = hour_used(house), hour_used(house)
    house.end(sub, at("22T12:40"))
    house.aws.always = THROTTLED
    house.run()
    assert due_left() == 30 * 60
    # A run for another subscription alone says nothing of the whole.
    house.cycle.go_round(subscription_id=other)
    assert due_left() == 30 * 60
    house.clock.advance(minutes=31)
    house.run()
    assert due_left() == -60


def test_usage_that_nobody_can_plan_nears_its_windows_end(house: House) -> None:
    sub = hour_used(house, known=False)
    house.run()
    assert unplanned_left() == 22 * 3600 + 50 * 60
    house.clock.advance(hours=20)
    house.run()
    assert 0 < unplanned_left() < THREE_HOURS
    # Too late for its own hour, it goes out under another, and nothing is left to hurry for.
    house.clock.advance(hours=3)
    house.run()
    assert unplanned_left() == math.inf
    house.publish(sub)
    house.run(2)
    assert unplanned_left() == math.inf
    assert house.billed(sub) == "3"
    house.must_be_exact()


def test_a_look_ahead_on_paper_moves_no_metric(house: House) -> None:
    sub = house.buy()
    house.run()
    house.use(sub, "3")
    house.cycle.fold_open_hours()
    desk = DryRun(
        house.ledger,
        house.record_store,
        house.published,
        house.catalogue,
        house.settings.limits,
        house.clock,
    )
    desk.look()
    assert unplanned_left() == math.inf
    house.run()
    assert unplanned_left() < math.inf


def test_the_final_hour_is_missed(house: House) -> None:
    def missed() -> float:
        return sample("marketplane_metering_hours_written_off_total", reason="after_final_hour")

    before = missed()
    sub = house.buy()
    house.use(sub, "1")
    house.end(sub, at("22T11:00"))
    house.run()
    assert missed() == before
    house.clock.advance(hours=1, minutes=1)
    house.use(sub, "2", time=at("22T10:59"))
    house.run()
    assert missed() == before + 1
    house.run()
    assert missed() == before + 1, "written off once, counted once"


def test_aws_refuses_us(house: House) -> None:
    sub = hour_used(house)
    house.aws.always = Fault(before=Refused("AccessDeniedException"))
    house.run_and_fail()
    assert sample("marketplane_metering_sender_stopped") == 1
    house.aws.always = None
    house.run()
    assert sample("marketplane_metering_sender_stopped") == 0
    assert house.billed(sub) == "3"


def test_aws_refuses_a_product(house: House) -> None:
    def stopped() -> float:
        return sample("marketplane_metering_product_stopped", product_code=LEGACY, generation="legacy")

    hour_used(house, product_code=LEGACY)
    dimensions = house.aws.products.pop(LEGACY)
    house.run_and_fail()
    assert (stopped(), sample("marketplane_metering_sender_stopped")) == (1, 0)
    house.aws.products[LEGACY] = dimensions
    house.run()
    assert stopped() == 0


def test_records_wait_for_a_person(house: House) -> None:
    def waiting() -> float:
        return sample("marketplane_metering_records_waiting_for_a_person", outcome="not_subscribed")

    assert waiting() == 0
    sub = hour_used(house)
    house.aws.buyers.pop(house.identities[sub])
    house.run()
    assert waiting() == 1, "at once, not only with the next audit"
    house.new_auditor().audit()
    assert waiting() == 1
    (record,) = house.records(sub)
    desk = RecordDesk(house.record_store, house.usage_log)
    with capture_logs():
        desk.resolve(record.metering_record_id, Decision.WRITE_OFF, "left", "ada", house.clock.now())
    house.new_auditor().audit()
    assert waiting() == 0
