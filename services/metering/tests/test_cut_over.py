"""A listing was switched from legacy to concurrent agreements at noon: no hour goes out under two
identities."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from house import SWITCHED, House, at
from hypothesis import given
from hypothesis import strategies as st
from shelf_marketplace import Buyer

from metering.catalogue import PricingModel, Product
from metering.cut_over import can_go_out
from metering.hours import start_of
from metering.ledger import LedgerRow
from metering.planning import Limits, plan
from metering.quantities import LARGEST_RECORD
from metering.subscriptions import Subscription
from metering.tables.models import SubscriptionRow
from tests.running_simulator import Simulator, running_simulator

ACCOUNT = "111122223333"


class Pair:
    """One buyer, whom AWS knows by a customer identifier and by a licence."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.legacy = house.buy(SWITCHED, legacy=True)
        self.licence = house.buy(SWITCHED, since=at("22T10:00"))
        house.aws.buyers[house.identities[self.licence]].account = ACCOUNT
        house.publish(self.licence)
        house.publish(self.legacy, customer_aws_account_id=ACCOUNT)

    def hours(self) -> tuple[dict[str, str], dict[str, str]]:
        """What AWS has of each identity; never the same hour twice."""
        of_both = self.house.hours(self.legacy), self.house.hours(self.licence)
        assert max(Counter([*of_both[0], *of_both[1]]).values(), default=0) <= 1
        assert all(hour < "22T12" for hour in of_both[0])
        assert all(hour >= "22T12" for hour in of_both[1])
        self.house.must_be_exact()
        return of_both


def go_to(house: House, moment: str) -> datetime:
    return house.clock.advance(seconds=(at(moment) - house.clock.now()).total_seconds())


def run_at(house: House, moment: str, cycles: int = 3) -> None:
    go_to(house, moment)
    house.run(cycles)


def test_prior_art_15_a_buyers_hour_goes_out_under_one_identity_whatever_the_product_names(
    house: House,
) -> None:
    """The product names now the one and now the other, before noon and after."""
    pair = Pair(house)
    for hour in (10, 11, 12, 13):
        go_to(house, f"22T{hour}:30")
        house.use(pair.legacy, "1")
        house.use(pair.licence, "2")
        house.run()
    run_at(house, "22T14:10")
    assert pair.hours() == ({"22T10": "3", "22T11": "3"}, {"22T12": "3", "22T13": "3"})
    assert house.balance(pair.legacy).held == house.balance(pair.licence).held == 0


def test_prior_art_15_late_usage_is_carried_forward_within_its_identity(house: House) -> None:
    pair = Pair(house)
    house.use(pair.legacy, "1", time=at("22T09:30"))
    run_at(house, "22T11:10")
    house.use(pair.legacy, "2", time=at("22T09:40"))
    house.use(pair.licence, "4", time=at("22T11:05"))
    run_at(house, "22T13:10")
    assert pair.hours() == ({"22T09": "1", "22T10": "2", "22T11": "4"}, {})


def test_prior_art_15_what_the_legacy_hours_cannot_take_any_more_goes_to_the_licence(house: House) -> None:
    """A correction that finds nothing any more goes along."""
    pair = Pair(house)
    house.use(pair.legacy, "1", time=at("22T10:00"))
    run_at(house, "22T11:10")
    house.use(pair.legacy, "1")
    run_at(house, "22T12:10")
    house.use(pair.legacy, "5", time=at("22T11:30"))
    house.use(pair.legacy, "-1", time=at("22T11:40"))
    run_at(house, "22T13:10")
    assert pair.hours() == ({"22T10": "1", "22T11": "1"}, {"22T12": "4"})
    sources = house.records(pair.licence)[0].sources
    assert [(source.hour, source.quantity) for source in sources] == [("2026-11-22T11", 4_000_000)]


def test_after_a_day_of_outage_legacy_usage_goes_out_by_licence(house: House) -> None:
    pair = Pair(house)
    house.use(pair.legacy, "3")
    run_at(house, "23T12:30")
    assert pair.hours() == ({}, {"22T13": "3"})


@pytest.mark.parametrize("others", ["none", "no account", "two"])
def test_usage_after_the_cut_over_is_held_by_name_while_the_other_identity_is_not_known(
    house: House, others: str
) -> None:
    pair = Pair(house)
    another = house.buy(SWITCHED)
    house.publish(another, customer_aws_account_id=ACCOUNT if others == "two" else "444455556666")
    if others == "none":
        SubscriptionRow(pair.licence).delete()
    elif others == "no account":
        house.publish(pair.legacy)
    go_to(house, "22T12:30")
    house.use(pair.legacy, "3")
    run_at(house, "22T14:10")
    assert house.balance(pair.legacy).reasons == {("held", "after_cut_over"): 3_000_000}
    assert pair.hours() == ({}, {})
    # It is known at last; who is subscribed is read once an hour.
    house.publish(pair.licence)
    house.publish(pair.legacy, customer_aws_account_id=ACCOUNT)
    SubscriptionRow(another).delete()
    run_at(house, "22T15:20")
    assert pair.hours() == ({}, {"22T12": "3"})


def test_a_licences_usage_before_the_cut_over_waits_for_it_where_no_legacy_one_is_known(house: House) -> None:
    licence = house.buy(SWITCHED)
    house.use(licence, "3")
    run_at(house, "22T11:30")
    assert house.balance(licence).reasons == {("held", "before_cut_over"): 3_000_000}
    run_at(house, "22T13:10")
    assert house.hours(licence) == {"22T12": "3"}
    house.must_be_exact()


def test_usage_of_an_ended_legacy_agreement_goes_to_the_licence_or_is_written_off(house: House) -> None:
    pair = Pair(house)
    alone = house.buy(SWITCHED, legacy=True)
    house.use(pair.legacy, "1")
    house.use(alone, "1")
    for sub in (pair.legacy, alone):
        house.end(sub, at("22T10:50"))
    house.publish(pair.legacy, status="ended", customer_aws_account_id=ACCOUNT)
    run_at(house, "22T13:10")
    assert pair.hours() == ({}, {"22T12": "1"})
    assert house.balance(alone).reasons == {("written_off", "after_final_hour"): 1_000_000}


def test_prior_art_15_the_simulator_bills_twice_what_goes_out_twice_and_ours_does_not(
    house: House, tmp_path: Path
) -> None:
    """The simulator has a meter for each identity, as AWS warns: shown first without the guard."""
    house.catalogue.products[SWITCHED] = replace(house.catalogue.products[SWITCHED], cut_over="2026-11-22T17")
    with running_simulator(tmp_path) as simulator:
        product = {
            "product_code": SWITCHED,
            "title": "Switched",
            "generation": "legacy",
            "dimensions": [{"key": "gpu_hours"}],
        }
        simulator.do("POST", "products", product)
        wish = {"product_code": SWITCHED, "customer_aws_account_id": ACCOUNT}
        bought = simulator.do("POST", "agreements", wish)
        simulator.do("PUT", "clock", {"now": "2026-11-22T14:30:00Z"})
        client = client_of(simulator)
        send_unguarded(client, bought, at("22T14:20"))
        assert billed(simulator) == {"14 by customer": "5", "14 by licence": "5"}

        pair = pair_of(house, bought)
        # Whatever our cycle sends goes to the simulator.
        house.marketplace._client = client
        house.restart()
        for hour in (15, 16, 17, 18):
            go_to(house, f"22T{hour}:30")
            simulator.do("PUT", "clock", {"now": f"2026-11-22T{hour}:30:00Z"})
            house.use(pair.legacy, "1")
            house.use(pair.licence, "2")
            house.run(2)
        simulator.do("PUT", "clock", {"now": "2026-11-22T19:10:00Z"})
        run_at(house, "22T19:10")
        assert billed(simulator) == {
            "14 by customer": "5",
            "14 by licence": "5",
            "15 by customer": "3",
            "16 by customer": "3",
            "17 by licence": "3",
            "18 by licence": "3",
        }


def client_of(simulator: Simulator) -> Any:
    return boto3.session.Session().client(
        "meteringmarketplace",
        region_name="us-east-1",
        endpoint_url=simulator.url,
        aws_access_key_id="000000000000",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


def send_unguarded(client: Any, bought: dict[str, Any], timestamp: datetime) -> None:
    usage = {"Timestamp": timestamp, "Dimension": "gpu_hours", "QuantityAsDecimal": "5"}
    by_customer = usage | {"CustomerIdentifier": bought["customer_identifier"]}
    by_licence = usage | {"CustomerAWSAccountId": ACCOUNT, "LicenseArn": bought["license_arn"]}
    client.batch_meter_usage(UsageRecords=[by_customer], ProductCode=SWITCHED)
    client.batch_meter_usage(UsageRecords=[by_licence])


def billed(simulator: Simulator) -> dict[str, str]:
    """By hour and identity."""
    return {
        f"{record['hour'][11:13]} by {'licence' if record['license_arn'] else 'customer'}": record["quantity"]
        for record in simulator.do("GET", "bill")["records"]
    }


def pair_of(house: House, bought: dict[str, Any]) -> Pair:
    """The simulator's buyer, as notifications would publish both identities."""
    pair = Pair(house)
    identities = {pair.legacy: bought["customer_identifier"], pair.licence: bought["license_arn"]}
    for sub, identity in identities.items():
        buyer = house.aws.buyers.pop(house.identities[sub])
        house.identities[sub] = identity
        account = buyer.account and ACCOUNT
        house.aws.buyers[identity] = Buyer(SWITCHED, at("22T09:00"), account=account)
        house.publish(sub, customer_aws_account_id=ACCOUNT)
    return pair


# Whatever the ledger holds
# ------------------------------------------------------------------------------------------------

HOURS = [f"2026-11-{day}T{hour:02d}" for day in (21, 22, 23) for hour in range(24)]


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(HOURS), st.integers(1, 3 * LARGEST_RECORD)), unique_by=lambda it: it[0]
    ),
    taken=st.sets(st.sampled_from(HOURS)),
    legacy=st.booleans(),
    status=st.sampled_from(["active", "ending", "ended"]),
    ends=st.sampled_from([None, *HOURS]),
    since=st.sampled_from(HOURS),
    cut_over=st.sampled_from(HOURS),
    now=st.sampled_from(HOURS),
)
def test_prior_art_15_no_plan_has_a_slot_on_the_other_side(
    rows: list[tuple[str, int]],
    taken: set[str],
    legacy: bool,
    status: str,
    ends: str | None,
    since: str,
    cut_over: str,
    now: str,
) -> None:
    product = Product("5", PricingModel.SUBSCRIPTION, frozenset({"gpu"}), cut_over=cut_over)
    one = Subscription(
        "sub",
        "5",
        "legacy" if legacy else "concurrent_agreements",
        status,
        customer_identifier="X01",
        license_arn="arn:a:l-1",
        customer_aws_account_id=ACCOUNT,
        active_since=start_of(since),
        meter_until=start_of(ends) if ends else None,
    )
    ledger = [LedgerRow("sub", "gpu", hour, metered) for hour, metered in rows]
    moment = start_of(now) + timedelta(minutes=10)
    found = plan(ledger, taken, one, product, moment, Limits())
    assert all((record.hour < cut_over) == legacy for record in found.records)
    assert all(record.timestamp >= start_of(since) for record in found.records)
    assert all(record.identity.is_legacy == legacy for record in found.records)
    # What is held for the cut-over is in no record, and what is in one is not held.
    held = {row.hour for row, reason in found.held if "cut_over" in reason}
    assert not held & {source.hour for record in found.records for source in record.sources}
    for row, reason in found.held:
        if reason == "after_cut_over":
            assert legacy
            assert row.hour >= cut_over or not can_go_out(
                row.hour, one, cut_over, taken, moment, Limits().window
            )
