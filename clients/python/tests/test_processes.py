"""Processes that exit, fork, and are killed: real ones."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import KEY
from fake_metering import FakeMetering, Gate, accept, say
from made_up import usage

from marketplane import SpoolInUse, UsageReporter

Program = Callable[..., subprocess.Popen[str]]

BEGIN = f"""
import os, sys
from marketplane import *

def new(**more):
    return UsageReporter(sys.argv[1], **dict(api_key={KEY!r}, source="test", flush_interval=3600) | more)

def report(reporter, *ids):
    for one in ids:
        event = reporter.report(subscription_id="sub_a", dimension="d", quantity="1.5", id=one)
        print(event.body.decode(), flush=True)
"""


def deliveries(metering: FakeMetering) -> Counter[str]:
    """How often each event was sent."""
    return Counter(event_id for request in metering.requests for event_id in request.ids)


def test_the_exit_of_the_interpreter_flushes(metering: FakeMetering, program: Program) -> None:
    process = program(BEGIN + "report(new(), 'e1', 'e2')", metering.url)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert metering.taken_ids == ["e1", "e2"]


def test_an_exit_by_an_error_flushes_too(metering: FakeMetering, program: Program) -> None:
    process = program(BEGIN + "report(new(), 'e1'); raise SystemExit(7)", metering.url)
    process.communicate()
    assert process.returncode == 7
    assert metering.taken_ids == ["e1"]


def test_an_exit_without_success_says_what_is_lost(metering: FakeMetering, program: Program) -> None:
    metering.otherwise = say(503)
    process = program(BEGIN + "report(new(exit_timeout=0), 'e1', 'e2')", metering.url)
    _, errors = process.communicate()
    assert "2 usage events were not sent before the exit; they are lost." in errors
    assert KEY not in errors


FORK = """
one = new(**eval(sys.argv[2]))
report(one, 'parent-1')
child = os.fork()
if child == 0:
    assert one.pending == 0, one.pending
    report(one, 'child-1')
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
report(one, 'parent-2')
one.flush(60)
"""


def test_a_forked_child_begins_with_an_empty_buffer(metering: FakeMetering, program: Program) -> None:
    """Parent and child each send their own events, the child at its exit; none is sent twice."""
    process = program(BEGIN + FORK, metering.url, "{}")
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert deliveries(metering) == {"parent-1": 1, "parent-2": 1, "child-1": 1}


def test_a_fork_in_the_midst_of_a_request(metering: FakeMetering, program: Program) -> None:
    gate = Gate()
    metering.script.append(gate)
    text = FORK.replace("child = os.fork()", "input(); child = os.fork()")
    process = program(BEGIN + text, metering.url, "{'flush_interval': 0}", stdin=subprocess.PIPE)
    assert process.stdin is not None
    metering.until(lambda: deliveries(metering) == {"parent-1": 1})
    process.stdin.write("\n")
    process.stdin.flush()
    metering.until(lambda: metering.taken_ids == ["child-1"])
    gate.open()
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert deliveries(metering) == {"parent-1": 1, "parent-2": 1, "child-1": 1}


def test_a_forked_child_leaves_the_spool_alone(
    metering: FakeMetering, program: Program, tmp_path: Path
) -> None:
    text = FORK.replace(
        "report(one, 'child-1')",
        "try: report(one, 'child-1')\n    except SpoolInUse as e: print(e, flush=True)",
    )
    process = program(BEGIN + text, metering.url, repr({"spool": str(tmp_path)}))
    said, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "The spool belongs to the process that this one was forked from." in said
    assert deliveries(metering) == {"parent-1": 1, "parent-2": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


KILLED = BEGIN + "one = new(spool=sys.argv[2]); report(one, *sys.argv[3:]); input()"


def killed_after(process: subprocess.Popen[str], count: int) -> list[dict[str, str]]:
    """Waits until so many reports have returned, kills the process, and answers what they were."""
    assert process.stdout is not None
    said = [json.loads(process.stdout.readline()) for _ in range(count)]
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return said


def test_a_killed_process_leaves_its_events_to_the_next(
    metering: FakeMetering, program: Program, tmp_path: Path
) -> None:
    said = []
    for ids in (["e1", "e2"], ["e3"]):
        metering.otherwise = say(503)  # nothing gets through, however long
        process = program(KILLED, metering.url, tmp_path, *ids, stdin=subprocess.PIPE)
        said += killed_after(process, len(ids))
    before = len(metering.requests)
    metering.otherwise = accept
    with UsageReporter(metering.url, api_key=KEY, source="test", spool=tmp_path) as one:
        one.flush(60)
    assert [event for request in metering.requests[before:] for event in request.events] == said
    assert list(metering.taken.values()) == said
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_killed_while_the_service_has_the_batch(
    metering: FakeMetering, program: Program, tmp_path: Path
) -> None:
    """The batch was taken and the process died before it heard of it: sent again, the same, counted once."""
    gate = Gate()
    metering.script.append(gate)
    text = KILLED.replace("input()", "one.flush()")
    process = program(text, metering.url, tmp_path, "e1", "e2")
    assert process.stdout is not None
    said = [json.loads(process.stdout.readline()) for _ in range(2)]
    metering.until(lambda: len(metering.requests) == 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    gate.open()
    metering.until(lambda: len(metering.taken) == 2)
    with UsageReporter(metering.url, api_key=KEY, source="test", spool=tmp_path) as one:
        one.flush(60)
    assert metering.requests[0].body == metering.requests[1].body
    assert list(metering.taken.values()) == said


def test_what_was_acknowledged_is_not_sent_by_the_next(
    metering: FakeMetering, program: Program, tmp_path: Path
) -> None:
    text = KILLED.replace("input()", "one.flush(); report(one, 'e3'); input()")
    process = program(text, metering.url, tmp_path, "e1", "e2", stdin=subprocess.PIPE)
    killed_after(process, 3)
    with UsageReporter(metering.url, api_key=KEY, source="test", spool=tmp_path) as one:
        one.flush(60)
    assert deliveries(metering) == {"e1": 1, "e2": 1, "e3": 1}


def test_the_spool_of_a_living_process_is_not_taken(
    metering: FakeMetering, program: Program, tmp_path: Path
) -> None:
    process = program(KILLED, metering.url, tmp_path, "e1", stdin=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(SpoolInUse):
        UsageReporter(metering.url, api_key=KEY, source="test", spool=tmp_path)


def test_stopped_events_stay_in_the_spool(metering: FakeMetering, tmp_path: Path) -> None:
    metering.script.append(say(401))
    one = UsageReporter(metering.url, api_key=KEY, source="test", spool=tmp_path, spool_sync="each")
    one.report(**usage(id="e1"))
    with pytest.raises(Exception, match="401"):
        one.close(60)
    with UsageReporter(metering.url, api_key=KEY, source="test", spool=tmp_path) as two:
        two.flush(60)
    assert metering.taken_ids == ["e1"]
