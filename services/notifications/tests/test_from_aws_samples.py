"""What docs/from-aws-samples.md says of subscribers whose news AWS told before we were there."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import samples
from conftest import World

PAGE = Path(__file__).resolve().parents[3] / "docs" / "from-aws-samples.md"
THEN = datetime(2026, 5, 4, 9, 12, tzinfo=UTC)


def told_by_the_seller() -> str:
    """The page's message, of a product that the catalogue has."""
    (message,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    body = json.dumps(json.loads(message)).replace("PRODUCTCODE", samples.LEGACY_CODE)
    return body.replace("ifAPi5AcF3", samples.LEGACY_CUSTOMER)


def test_the_pages_message_makes_an_active_subscription_once(world: World) -> None:
    world.apply(told_by_the_seller())
    row = world.row(samples.LEGACY_ID)
    assert (row.status, row.active_since) == ("active", THEN)
    world.apply(told_by_the_seller())
    assert world.row(samples.LEGACY_ID).version == row.version


def test_what_aws_has_told_since_counts_more(world: World) -> None:
    cancelled = samples.action("unsubscribe-success", THEN + timedelta(days=1), "aws-1")
    world.apply(cancelled, told_by_the_seller())
    assert world.row(samples.LEGACY_ID).status == "ended"
