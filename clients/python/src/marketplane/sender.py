"""Sends a batch until every event of it is decided: the same bytes each time, halved where it is too
large."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from marketplane.answers import Again, Answer, Divide, ForAPerson, Refusal, Taken, meaning
from marketplane.batches import body_of, halves
from marketplane.connection import NoAnswer
from marketplane.errors import Stopped
from marketplane.events import UsageEvent
from marketplane.retry import Backoff, retry_after

log = logging.getLogger("marketplane")


class ToldToStop(Exception):
    """Between two tries somebody asked to end."""


@dataclass(frozen=True)
class Decided:
    """Events that need not be sent again.

    Attributes:
        events: a part of the batch.
        refused: by the place in `events`; the others are durable.
    """

    events: Sequence[UsageEvent]
    refused: dict[int, Refusal] = field(default_factory=dict)


class Sender:
    """
    Args:
        post: sends one body; raises NoAnswer.
        pause: waits so many seconds; True where it was told to stop meanwhile.
        backoff: how long to wait between tries.
        now: the present moment, for a `Retry-After` with a date.
        monotonic: seconds of a clock that never goes back.
        give_up_after: seconds for which one request is tried; None for ever.
    """

    def __init__(
        self,
        post: Callable[[bytes], Answer],
        pause: Callable[[float], bool],
        *,
        backoff: Backoff,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        give_up_after: float | None = None,
    ) -> None:
        self._post = post
        self._pause = pause
        self._backoff = backoff
        self._now = now
        self._monotonic = monotonic
        self._give_up_after = give_up_after

    def send(self, batch: Sequence[UsageEvent]) -> Iterator[Decided]:
        """Decide all events of a batch, part by part in their order.

        Raises:
            Stopped: a person must act, or the time that the caller allows is over.
            ToldToStop: by `pause`.
            What has not been yielded by then has to be sent again.
        """
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            match self._ask(part):
                case Taken(refused):
                    yield Decided(part, dict(refused))
                case Divide() if len(part) > 1:
                    first, rest = halves(part)
                    waiting += [rest, first]
                case Divide(alone):
                    yield Decided(part, {0: alone})

    def _ask(self, part: Sequence[UsageEvent]) -> Taken | Divide:
        body = body_of(part)
        failures, started = 0, self._monotonic()
        while True:
            asked = None
            try:
                answer = self._post(body)
            except NoAnswer as error:
                why = str(error)
            else:
                match meaning(answer, len(part)):
                    case Taken() | Divide() as done:
                        if failures:
                            log.warning("Metering answers again, after %d tries.", failures + 1)
                        return done
                    case ForAPerson(why):
                        raise Stopped(why)
                    case Again(why):
                        asked = retry_after(answer.headers.get("retry-after"), self._now())
            failures += 1
            seconds = self._backoff.pause(failures, asked)
            spent = self._monotonic() - started
            if self._give_up_after is not None and spent + seconds > self._give_up_after:
                raise Stopped(f"Nothing was acknowledged for {spent:.0f} s; the last try: {why}.")
            log.log(
                logging.WARNING if failures == 1 else logging.INFO,
                "Metering did not take a batch of %d events (%s); the same again in %.1f s.",
                len(part),
                why,
                seconds,
            )
            if self._pause(seconds):
                raise ToldToStop
