"""One scripted purchase, from the token to the bill, by three SDKs: each must see and cause the same.

In whole quantities, because the newest AWS CLI and JavaScript SDK that can be had carry service models from
before `QuantityAsDecimal` and ResolveCustomer's `Metadata`. Boto3 then sends the same values as decimals, and
they meet the whole numbers in one bill.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

# What each SDK must come to; written down once, so that all three agree with it and so with each other.
EXPECTED: list[tuple[str, Any]] = [
    ("resolve", ("seats", "444455556666", "same licence", None)),
    ("bad token", "InvalidTokenException"),
    ("entitlements", [("editors", 12), ("viewers", 40)]),
    ("no entitlements", None),
    ("26 per page", "InvalidParameterException"),
    ("usage", ["Success", "Success", "Success"]),
    ("the same again", ["Success", "Success", "Success"]),
    ("same record ids", True),
    ("another quantity", ["DuplicateRecord"]),
    ("echoed time", True),
    ("too old", "TimestampOutOfBoundsException"),
    ("unknown dimension", "InvalidUsageDimensionException"),
    ("after the final hour", ["CustomerNotSubscribed"]),
]
BILL = {("editors", "2"), ("viewers", "17"), ("editors", "0")}


def moment(value: Any) -> datetime:
    """A timestamp as the SDK at hand shows it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return datetime.fromisoformat(value).astimezone(UTC)


def test_purchase_to_bill(sdk: Any, simulator: Any, decimals: Any):
    simulator.do("POST", "reset")
    product = {
        "product_code": "seats",
        "title": "Seats",
        "generation": "concurrent_agreements",
        "pricing_model": "contract_with_consumption",
        "dimensions": [{"key": "editors"}, {"key": "viewers"}],
    }
    simulator.do("POST", "products", product)
    buy = {
        "product_code": "seats",
        "customer_aws_account_id": "444455556666",
        "entitlements": {"editors": 12, "viewers": 40},
    }
    bought = simulator.do("POST", "agreements", buy)
    now = datetime.fromisoformat(simulator.do("PUT", "clock", {"advance_seconds": 7200})["now"])
    seen: list[tuple[str, Any]] = []

    def answer(service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = sdk(service, operation, given)
        assert "answer" in result, result
        return result["answer"]

    def resolve(token: str) -> dict[str, Any]:
        result: dict[str, Any] = sdk("meteringmarketplace", "ResolveCustomer", {"RegistrationToken": token})
        return result

    def record(quantity: int, dimension: str = "editors", *, ago: timedelta = timedelta()) -> dict[str, Any]:
        return {
            "Timestamp": (now - ago).isoformat(),
            "Dimension": dimension,
            "CustomerAWSAccountId": "444455556666",
            "LicenseArn": bought["license_arn"],
            "Quantity": quantity,
        }

    def meter(*records: dict[str, Any]) -> list[dict[str, Any]]:
        given = {"UsageRecords": list(records)}
        results: list[dict[str, Any]] = answer("meteringmarketplace", "BatchMeterUsage", given)["Results"]
        return results

    def meter_error(*records: dict[str, Any]) -> Any:
        return sdk("meteringmarketplace", "BatchMeterUsage", {"UsageRecords": list(records)}).get("error")

    def statuses(results: list[dict[str, Any]]) -> list[str]:
        return [result["Status"] for result in results]

    who = resolve(bought["registration_token"])["answer"]
    same = {True: "same", False: "another"}
    seen.append(
        (
            "resolve",
            (
                who["ProductCode"],
                who["CustomerAWSAccountId"],
                f"{same[who['LicenseArn'] == bought['license_arn']]} licence",
                who.get("CustomerIdentifier"),
            ),
        )
    )
    seen.append(("bad token", resolve("nonsense").get("error")))

    rows: list[dict[str, Any]] = []
    given: dict[str, Any] = {"ProductCode": "seats", "MaxResults": 1}
    while True:
        page = answer("marketplace-entitlement", "GetEntitlements", given)
        rows += page.get("Entitlements", [])
        if not page.get("NextToken"):
            break
        given["NextToken"] = page["NextToken"]
    seen.append(("entitlements", [(row["Dimension"], row["Value"]["IntegerValue"]) for row in rows]))
    nobody = {"ProductCode": "seats", "Filter": {"CUSTOMER_AWS_ACCOUNT_ID": ["999999999999"]}}
    empty = answer("marketplace-entitlement", "GetEntitlements", nobody)
    seen.append(("no entitlements", empty.get("Entitlements")))
    wide = sdk("marketplace-entitlement", "GetEntitlements", {"ProductCode": "seats", "MaxResults": 26})
    seen.append(("26 per page", wide.get("error")))

    hour = timedelta(hours=1)
    first = meter(record(2), record(17, "viewers"), record(0, ago=hour))
    seen.append(("usage", statuses(first)))
    again = meter(record(2), record(17, "viewers"), record(0, ago=hour))
    seen.append(("the same again", statuses(again)))
    ids = [[result["MeteringRecordId"] for result in results] for results in (first, again)]
    seen.append(("same record ids", ids[0] == ids[1]))
    seen.append(("another quantity", statuses(meter(record(3)))))
    seen.append(("echoed time", moment(first[0]["UsageRecord"]["Timestamp"]) == now))
    seen.append(("too old", meter_error(record(1), record(1, ago=timedelta(hours=24)))))
    seen.append(("unknown dimension", meter_error(record(1, "Editors"))))

    # The same values in decimals, by the one SDK that knows them: they are the same records.
    in_decimals = [
        {name: value for name, value in sent.items() if name != "Quantity"} | {"QuantityAsDecimal": text}
        for sent, text in ((record(2), "2.000"), (record(17, "viewers"), "17.0"))
    ]
    agreed = decimals("meteringmarketplace", "BatchMeterUsage", {"UsageRecords": in_decimals})
    assert statuses(agreed["answer"]["Results"]) == ["Success", "Success"]

    simulator.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    simulator.do("PUT", "clock", {"advance_seconds": 31 + 3600 + 1})
    seen.append(("after the final hour", statuses(meter(record(9, ago=2 * hour)))))

    assert seen == EXPECTED
    bill = simulator.do("GET", "bill")["records"]
    assert {(item["dimension"], item["quantity"]) for item in bill} == BILL
    assert len(bill) == 3
    assert {item["license_arn"] for item in bill} == {bought["license_arn"]}
