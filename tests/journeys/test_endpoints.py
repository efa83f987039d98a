"""A buyer runs an endpoint: by their own sign-in, metered to the second, gone with their subscription."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.journeys.house import DONE, UNTIL_ACTIVE, UNTIL_ENDING, Buyer, House
from tools.story import LICENSED_PRODUCT

Land = Callable[..., Any]


class Person:
    """A buyer who has signed in, and bought."""

    def __init__(self, house: House, land: Land) -> None:
        self._house = house
        self.buyer: Buyer = house.buy_product(LICENSED_PRODUCT)
        self.subject = f"person-{uuid.uuid4()}"
        landing = land("json", self.buyer)
        landing.sign_in(self.subject)
        assert landing.submit(self.buyer.email).status_code in DONE
        self._token = {"Authorization": f"Bearer {house.bearer_token(self.subject)}"}
        house.advance(UNTIL_ACTIVE)
        house.until_status("active", self.buyer)

    def ask(self, method: str, path: str = "", body: dict[str, Any] | None = None, *, expect: int) -> Any:
        return self._request(method, "metering", f"/v1/endpoints{path}", body, expect)

    def _request(
        self, method: str, service: str, path: str, body: dict[str, Any] | None = None, expect: int = 200
    ) -> Any:
        url = self._house.stack.urls[f"{service}-web"] + path
        answer = self._house.http.request(method, url, json=body, headers=self._token)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def looks_at(self, subscription_id: str) -> dict[str, Any]:
        """What their page shows of a subscription: its state, what was used and what was billed."""
        of_it = f"?subscription_id={subscription_id}"
        listed = self._request("GET", "notifications", "/v1/subscriptions")["items"]
        used = self._request("GET", "metering", f"/v1/usage{of_it}")["items"]
        balances = self._request("GET", "metering", f"/v1/balance{of_it}")["dimensions"]
        records = self._request("GET", "metering", "/v1/metering-records?outcome=billed")["items"]
        return {
            "status": [one["status"] for one in listed if one["subscription_id"] == subscription_id],
            "used": sum(Decimal(one["quantity"]) for one in used),
            "billed": sum(Decimal(one["billed"]) for one in balances),
            "records": sum(
                Decimal(one["quantity"]) for one in records if one["subscription_id"] == subscription_id
            ),
        }

    def start(self) -> dict[str, Any]:
        wish = {"name": "Mine", "repository": "acme/model", "accelerator": "GPU"}
        return dict(self.ask("POST", body=wish, expect=201))

    def ran(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Waits until an endpoint is metered to its end, and notes its time as the truth; answers it."""
        place = f"/{endpoint['endpoint_id']}"

        def settled() -> dict[str, Any] | None:
            shown = dict(self.ask("GET", place, expect=200))
            return shown if shown["deleted_at"] and shown["metered_until"] == shown["deleted_at"] else None

        shown = self._house.until(settled, f"{place} to be metered to its end", self.buyer) or {}
        since, until = (datetime.fromisoformat(shown[name]) for name in ("created_at", "deleted_at"))
        seconds = (until - since) // timedelta(seconds=1)
        assert until - since == timedelta(seconds=seconds)
        self.buyer.used[endpoint["endpoint_id"]] = Decimal(seconds * 1_000_000 // 3600).scaleb(-6)
        return shown


def test_a_buyer_s_endpoint_is_billed_to_the_second_and_is_nobody_else_s(house: House, land: Land) -> None:
    house.begin_hour()
    ada, eve = Person(house, land), Person(house, land)
    endpoint = ada.start()
    assert endpoint["subscription_id"] == ada.buyer.subscription_id
    place = f"/{endpoint['endpoint_id']}"
    eve.ask("GET", place, expect=404)
    eve.ask("DELETE", place, expect=404)
    assert eve.ask("GET", expect=200)["items"] == []

    house.begin_hour()
    house.begin_hour()
    house.advance(timedelta(minutes=7, seconds=13))
    ada.ask("DELETE", place, expect=204)
    shown = ada.ran(endpoint)
    assert shown["ended_because"] == "deleted_by_owner"
    assert ada.buyer.total > 2
    house.seal_hour()
    house.assert_billed_exactly(ada.buyer)
    assert len(house.records(ada.buyer)) == 3

    bought = ada.buyer.subscription_id
    total = ada.buyer.total
    assert ada.looks_at(bought) == {"status": ["active"], "used": total, "billed": total, "records": total}
    assert eve.looks_at(bought) == {"status": [], "used": 0, "billed": 0, "records": 0}


def test_the_end_of_a_subscription_stops_what_runs_and_bills_its_last_second(
    house: House, land: Land
) -> None:
    house.begin_hour()
    ada = Person(house, land)
    endpoint = ada.start()
    house.begin_hour()
    house.report(ada.buyer)
    house.cancel(ada.buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", ada.buyer)
    shown = ada.ran(endpoint)
    assert shown["ended_because"] == "subscription_ended"
    house.assert_billed_exactly(ada.buyer)
    wish = {"name": "Another", "repository": "acme/model", "accelerator": "GPU"}
    ada.ask("POST", body=wish, expect=409)
