"""What a buyer's request sets going elsewhere belongs to its trace; and no span says who the buyer is."""

import json

import httpx
import pytest
from botocore.exceptions import ClientError
from conftest import HAND_OVER_ADDRESS, HAND_OVER_SECRET, HANDING_OVER, LICENSE_ARN, START, House
from opentelemetry.trace import StatusCode

from chassis import tracing
from chassis.testing import Traced, ids
from registration.marketplace import Marketplace
from registration.outbox_items import Kind, new_item
from registration.resolve_refusals import TokenNotResolved
from registration.seller_backend import SellerBackend
from registration.tables import OutboxRow
from registration.tables.rows import outbox_item_of, outbox_row

TIMED_OUT = httpx.ReadTimeout("too slow")


def test_a_hand_over_that_is_tried_again_later_goes_on_with_the_buyers_request(
    house: House, traced: Traced
) -> None:
    house.sellers_system.answers = [TIMED_OUT]
    created = house.arrive("opaque-token", ProductCode=HANDING_OVER)
    house.register(created, fields={"purpose": "Weather"})
    requests = [span for span in traced.all if span.name.startswith("registration.api.")]
    submitted = ids(requests[-1])
    (row,) = OutboxRow.scan()
    assert row.traceparent is not None
    assert submitted[0] in row.traceparent

    house.clock.advance(seconds=1)
    with tracing.of_round("outbox"):
        assert house.work() >= 1
    first, second = [span for span in traced.all if span.name == "hand over"]
    tries = [span for span in traced.all if span.name == "outbox hand_over"]
    assert {ids(span)[0] for span in (first, second, *tries)} == {submitted[0]}
    assert [ids(span)[2] for span in (first, second)] == [ids(span)[1] for span in tries]
    assert [span.status.status_code for span in tries] == [StatusCode.ERROR, StatusCode.UNSET]

    said = "".join(span.to_json() for span in traced.all)
    for private in (
        "opaque-token",
        "ada@example.com",
        LICENSE_ARN,
        created["session_secret"],
        "444455556666",
    ):
        assert private not in said


def test_the_sellers_back_end_may_go_on_with_it(traced: Traced) -> None:
    asked: list[str] = []

    def noting(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["traceparent"])
        return httpx.Response(200, json={"account_id": "acct-1"})

    http = httpx.Client(transport=httpx.MockTransport(noting))
    SellerBackend(http, [HAND_OVER_SECRET]).ask(HAND_OVER_ADDRESS, {"fields": {}}, "hand-over-1")
    (traceparent,) = asked
    assert traceparent.split("-")[1:3] == list(ids(traced.named("hand over"))[:2])


def test_an_item_keeps_the_trace_that_it_was_first_written_in(traced: Traced) -> None:
    item = new_item(Kind.WELCOME_LETTER, "sub_1", "sub_1", "cus_1", START)
    assert outbox_row(item).traceparent is None
    with tracing.of_call("outer") as outer:
        first = outbox_row(item)
    assert first.traceparent == outer.traceparent
    with tracing.of_call("later"):
        again = outbox_row(outbox_item_of(first).taken(START))
    assert again.traceparent == outer.traceparent


def test_a_call_of_aws_says_its_name_and_awss_name_of_the_error(traced: Traced) -> None:
    class Refuses:
        def resolve_customer(self, **_request: str) -> None:
            described = {"Error": {"Code": "InvalidTokenException", "Message": "opaque-token is not one"}}
            raise ClientError(described, "ResolveCustomer")  # type: ignore[arg-type]

    with pytest.raises(TokenNotResolved):
        Marketplace(Refuses(), None, None).resolve_customer("opaque-token")
    said = json.loads(traced.named("ResolveCustomer").to_json())
    assert said["attributes"] == {"error.type": "InvalidTokenException"}
    assert "opaque-token" not in json.dumps(said)
