"""News of AWS that the simulator does not play, made of the schemas' own examples: notices, and the legacy
messages of buyers who never become active."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.contract.schemas import schema

NOTICES = {
    "agreement.advisory_issued": "Purchase Agreement Advisory Issued - Manufacturer",
    "agreement.advisory_resolved": "Purchase Agreement Advisory Resolved - Manufacturer",
    "agreement.ending": "Purchase Agreement Ending - Proposer",
    "agreement.renewal_terms_finalized": "Purchase Agreement Renewal Terms Finalized - Proposer",
    "agreement.renewal_upcoming": "Purchase Agreement Renewal Upcoming - Proposer",
    "agreement.cancellation_pending_approval": "Agreement Cancellation Request Pending Approval - Proposer",
    "agreement.cancellation_approved": "Agreement Cancellation Request Approved - Proposer",
    "agreement.cancellation_rejected": "Agreement Cancellation Request Rejected - Proposer",
    "agreement.cancellation_cancelled": "Agreement Cancellation Request Cancelled - Proposer",
    "agreement.cancellation_validation_failed": "Agreement Cancellation Request Validation Failed - Proposer",
    "agreement.billing_adjustment_completed": "Purchase Agreement Billing Adjustment Completed - Proposer",
    "agreement.billing_adjustment_failed": "Purchase Agreement Billing Adjustment Failed - Proposer",
    "agreement.spend_threshold_reached": "Purchase Agreement Spend Threshold Reached - Proposer",
    "agreement.spend_vet_succeeded": "Purchase Agreement Spend Threshold Vet Succeeded - Proposer",
    "agreement.spend_vet_failed": "Purchase Agreement Spend Threshold Vet Failed - Proposer",
}
"""What AWS calls each notice, by the type of the webhook that tells of it."""


def notices(agreement_id: str, now: datetime) -> Iterator[dict[str, Any]]:
    """One notice of each kind about an agreement."""
    for number, name in enumerate(NOTICES.values(), 1):
        event = _example_like(name)
        event["detail"]["agreement"]["id"] = agreement_id
        yield event | {
            "id": f"a5e1d0a1-0000-4000-8000-{number:012}",
            "detail-type": name,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def _example_like(name: str) -> dict[str, Any]:
    """An event with the parts that such a notice has, as far as its schema has an example of one."""
    examples = copy.deepcopy(schema("events/eventbridge-notice")["examples"])
    for example in examples:
        if example["detail-type"].split()[:3] == name.split()[:3]:
            return dict(example)
    return examples[0] | {"detail": {"agreement": {}}}


def legacy_messages(product_code: str) -> Iterator[dict[str, Any]]:
    """As raw delivery brings them: of a buyer whose card was refused, and of one whose purchase AWS has not
    told of yet."""
    refused = schema("events/sns-subscription-message")["examples"][0]
    yield refused | _whose("X01REFUSED", product_code) | {"action": "subscribe-fail"}
    early = schema("events/sns-entitlement-message")["examples"][0]
    yield early | _whose("X01EARLY", product_code)


def _whose(customer_identifier: str, product_code: str) -> dict[str, str]:
    return {"customer-identifier": customer_identifier, "product-code": product_code}
