"""What is written of webhooks, and how. Every write is conditional, or writes the same whenever it is
repeated."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from pynamodb.exceptions import DoesNotExist, PutError
from pynamodb.models import Model

from chassis.aws import cause_code
from notifications.tables.webhook_models import (
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookEventRow,
    WebhookReplayRow,
)
from notifications.tables.webhook_rows import (
    delivery_of,
    delivery_row,
    due_lanes,
    endpoint_of,
    endpoint_row,
    event_of,
    event_row,
    home_of,
    replay_of,
    replay_row,
)
from notifications.webhook_deliveries import Delivery
from notifications.webhook_endpoints import Endpoint
from notifications.webhook_events import WebhookEvent
from notifications.webhook_ids import SHARDS
from notifications.webhook_replays import Replay

REPLAYED_AT_ONCE = 25


class Due(NamedTuple):
    """A delivery that is to be tried, and since when."""

    delivery_id: str
    due_at: datetime


class WebhookStore:
    """The tables of webhooks.

    Args:
        kept: how long events are kept, and deliveries after they were concluded.
    """

    def __init__(self, kept: timedelta) -> None:
        self.kept = kept

    # -- events ----------------------------------------------------------------------------------------------

    def event(self, home: str, event_id: str) -> WebhookEvent | None:
        """None where its retention time is over."""
        try:
            return event_of(WebhookEventRow.get(home, event_id, consistent_read=True))
        except DoesNotExist:
            return None

    def keep_event(self, event: WebhookEvent) -> str:
        """Keep an event, if it is not kept yet. Returns where."""
        _saved(event_row(event, self.kept), WebhookEventRow.event_id.does_not_exist())
        return home_of(event)

    def keep_events(self, events: Iterable[WebhookEvent]) -> None:
        """Keep several, by few calls. One that is kept already is written again, the same."""
        once = {event.event_id: event for event in events}
        with WebhookEventRow.batch_write() as batch:
            for event in once.values():
                batch.save(event_row(event, self.kept))

    def events_of(self, home: str, after: str | None) -> tuple[list[WebhookEvent], str | None]:
        """A page of the events kept there, and the last one's id, or None where no page follows."""
        condition = WebhookEventRow.event_id > after if after else None
        results = WebhookEventRow.query(
            home, range_key_condition=condition, consistent_read=True, limit=REPLAYED_AT_ONCE
        )
        events = [event_of(row) for row in results]
        return events, events[-1].event_id if len(events) == REPLAYED_AT_ONCE else None

    # -- endpoints -------------------------------------------------------------------------------------------

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Also one that was deleted lately."""
        try:
            return endpoint_of(WebhookEndpointRow.get(endpoint_id, consistent_read=True))
        except DoesNotExist:
            return None

    def endpoints(self) -> list[Endpoint]:
        """All of them, and those that were deleted lately."""
        return [endpoint_of(row) for row in WebhookEndpointRow.scan(consistent_read=True)]

    def create_endpoint(self, endpoint: Endpoint) -> None:
        endpoint_row(endpoint).save(condition=WebhookEndpointRow.endpoint_id.does_not_exist())

    def replace_endpoint(self, before: Endpoint, after: Endpoint) -> bool:
        """Write `after` if the row still has `before`'s version; False where it has not."""
        row = endpoint_row(after)
        return _saved(row, WebhookEndpointRow.version == before.version)

    # -- deliveries ------------------------------------------------------------------------------------------

    def delivery(self, delivery_id: str) -> Delivery | None:
        try:
            return delivery_of(WebhookDeliveryRow.get(delivery_id, consistent_read=True))
        except DoesNotExist:
            return None

    def create_delivery(self, delivery: Delivery) -> bool:
        """False where it is there already, whatever has become of it."""
        row = delivery_row(delivery, self.kept)
        return _saved(row, WebhookDeliveryRow.delivery_id.does_not_exist())

    def replace_delivery(self, before: Delivery, after: Delivery) -> bool:
        """Write `after` if the row is still `before`; False where it is not."""
        row = delivery_row(after, self.kept)
        return _saved(row, WebhookDeliveryRow.revision == before.revision)

    def due_deliveries(self, endpoint_id: str, by: datetime, most: int) -> list[Due]:
        """About so many deliveries to this endpoint that are due by then, as of a moment ago; of each shard
        those that are due longest, so that none waits for another to be empty."""
        of_each = ceil(most / SHARDS)
        return [
            Due(row.delivery_id, row.next_attempt_at)
            for lane in due_lanes(endpoint_id)
            for row in WebhookDeliveryRow.due.query(
                lane, range_key_condition=WebhookDeliveryRow.next_attempt_at <= by, limit=of_each
            )
        ]

    # -- replays ---------------------------------------------------------------------------------------------

    def replay(self, replay_id: str) -> Replay | None:
        try:
            return replay_of(WebhookReplayRow.get(replay_id, consistent_read=True))
        except DoesNotExist:
            return None

    def create_replay(self, replay: Replay) -> None:
        replay_row(replay, self.kept).save(condition=WebhookReplayRow.replay_id.does_not_exist())

    def replace_replay(self, before: Replay, after: Replay) -> bool:
        """Write `after` if the row is still `before`; False where it is not."""
        return _saved(replay_row(after, self.kept), WebhookReplayRow.revision == before.revision)

    def running_replays(self) -> list[str]:
        """The ids of the replays that are not done, as of a moment ago."""
        return [row.replay_id for row in WebhookReplayRow.running.scan()]


def _saved(row: Model, condition: object) -> bool:
    try:
        row.save(condition=condition)  # type: ignore[arg-type]
    except PutError as error:
        if cause_code(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True
