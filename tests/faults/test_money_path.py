"""At each step of the money path the process is killed, and each answer is lost: AWS's bill stays the truth.

`make test` plays all steps, each by one way, those of a story together; `make faults` plays each step by
itself in every way.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, DEEP, READ_TIMEOUT_SECONDS, FaultyHouse
from tests.faults.money_path import NOT_OF_THE_PATH, READING, STEPS, TELL_AWS, TRANSACT, Step, is_taken_by
from tests.faults.money_stories import Story
from tools.stack import ROOT

KILLED = {"before": "hold_before", "after": "hold_after"}
"""The process is gone before the call is executed; or the call is, and it never hears of it."""

Cases = list[tuple[Step, str]]

played: set[Story] = set()


def plays(ways_of: Callable[[Step], Sequence[str]]) -> list[Any]:
    """What is played: a step and its way alone; or all steps of a story, each by one way, by turns."""
    if DEEP:
        return [pytest.param([(step, way)], id=f"{step}, {way}") for step in STEPS for way in ways_of(step)]
    turns = {step: ways[step.number % len(ways)] for step in STEPS if (ways := ways_of(step))}
    by_story = itertools.groupby(sorted(STEPS, key=story_of), key=story_of)
    return [pytest.param([(step, turns[step]) for step in steps], id=name) for name, steps in by_story]


def story_of(step: Step) -> str:
    return step.story.__name__


def ways_of_losing(step: Step) -> list[str]:
    """How the answer of a step's call can be lost."""
    ways = ["error before", "error after the commit", "error after the commit, once", "time-out", "throttle"]
    if step.operation == TRANSACT:
        return [*ways, "another's transaction"]
    if step.operation in ("BatchWriteItem", "DeleteMessageBatch", TELL_AWS):
        return [*ways, "half of the batch"]
    return [*ways, "dropped after the commit"]


def loss(step: Step, way: str) -> dict[str, Any]:
    """The same for the fault proxy. Our client library tries again by itself, but for AWS Marketplace."""
    count = 1 if step.operation == TELL_AWS else ATTEMPTS
    match way:
        case "error before":
            return {"kind": "error_before", "count": count}
        case "error after the commit":
            return {"kind": "error_after", "count": count}
        case "error after the commit, once":
            return {"kind": "error_after", "count": 1}
        case "dropped after the commit":
            return {"kind": "drop_after", "count": count}
        case "time-out":
            # An SQS client waits for as long as a queue may be asked to wait.
            patience = READ_TIMEOUT_SECONDS + (5 if "Message" in step.operation else 0)
            return {"kind": "slow", "seconds": patience + 0.5, "count": count if DEEP else 1}
        case "throttle":
            return {"kind": "throttle", "count": count}
        case "another's transaction":
            return {"kind": "transaction_conflict", "count": count}
        case "half of the batch":
            # A message is deleted alone: half of that is nothing.
            return {"kind": "unprocessed", "keep": int(step.operation != "DeleteMessageBatch"), "count": 1}
    raise ValueError(way)


def play(
    house: FaultyHouse, story: Story, faults: list[dict[str, Any]], meanwhile: Callable[[], object]
) -> None:
    """Plays a story with faults in its middle, and does something else while its steps are taken."""
    acts = story(house)
    next(acts)
    for fault in faults:
        house.fail(**fault)
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(next, acts)
        try:
            meanwhile()
        finally:
            house.mend()
        going.result()
    assert next(acts, "the end") == "the end"
    played.add(story)


@pytest.mark.parametrize("cases", plays(lambda step: list(KILLED)))
def test_killed(house: FaultyHouse, cases: Cases) -> None:
    def kill_at_each() -> None:
        for _ in cases:
            kill_where_held(house)

    holds = [{"kind": KILLED[way], **step.fault} for step, way in cases]
    play(house, cases[0][0].story, holds, kill_at_each)


def kill_where_held(house: FaultyHouse) -> None:
    """Kills whichever process waits for an answer that is held, and starts it again."""
    held = house.until(lambda: [one for one in house.faults() if one["fired"]], "a step to be held")[0]
    house.stack.kill(held["caller"])
    if held["kind"] == "hold_before":
        # Were the fault forgotten before, the call would be executed.
        house.until_dropped(held["id"])
    house.forget(held["id"])
    house.stack.start(held["caller"])


@pytest.mark.parametrize("cases", plays(ways_of_losing))
def test_answers_lost(house: FaultyHouse, cases: Cases) -> None:
    def lost() -> bool:
        house.rest("metering-worker")
        return house.fired()

    losses = [{**loss(step, way), **step.fault} for step, way in cases]
    play(house, cases[0][0].story, losses, lambda: house.until(lost, "all to be lost"))


def test_the_document_goes_through_the_same_steps() -> None:
    text = (ROOT / "docs" / "money-path.md").read_text()
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", text, flags=re.MULTILINE)
    assert rows == [(str(step.number), step.name) for step in STEPS]


def test_there_are_no_other_steps(house: FaultyHouse) -> None:
    """Of all calls that metering's processes made in the stories, the writing ones are the steps' and all
    steps' are among them."""
    for story in {step.story for step in STEPS} - played:
        play(house, story, [], lambda: None)
    made = [
        call
        for call in house.calls_made()
        if call["caller"].startswith("metering-") and call["operation"] not in READING
    ]
    for step in STEPS:
        assert any(is_taken_by(step, call) and call["caller"] == step.process for call in made), str(step)
    strange = [
        call
        for call in made
        if not any(is_taken_by(step, call) for step in STEPS)
        and (call["operation"], *call["names"]) not in NOT_OF_THE_PATH
    ]
    assert strange == []
