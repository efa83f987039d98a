"""The words after `python -m <service>`, each in a process of its own as people and containers start it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config
from sample.app import SampleKey, key_ring

from chassis import commands
from chassis.settings import ChassisSettings

HERE = Path(__file__).parent


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(HERE), "ENVIRONMENT": "test", **variables}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "sample", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_key_is_printed_once_and_alone(keys: Any) -> None:
    made = run("add-key", "--name", "ada", "--scopes", "operator, usage:read", LOG_LEVEL="DEBUG")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert re.fullmatch(r"mpk_[a-z2-7]{8}_[a-z2-7]{32}", key)
    assert key not in made.stderr
    caller = key_ring(ChassisSettings(environment="test")).check(key)
    assert caller is not None
    assert (caller.name, caller.scopes) == ("ada", {"operator", "usage:read"})


def test_a_key_is_replaced_without_a_pause(keys: Any) -> None:
    """The new one is made, its user goes over to it, the old one is disabled: `list-keys` names both."""
    old, new = (run("add-key", "--name", "ada", "--scopes", "operator").stdout.strip() for _ in range(2))
    old_id, new_id = old.split("_")[1], new.split("_")[1]
    disabled = run("disable-key", "--id", old_id)
    assert (disabled.returncode, disabled.stdout) == (0, "")
    listed = run("list-keys", LOG_LEVEL="DEBUG")
    assert sorted(listed.stdout.splitlines()) == sorted(
        [f"{old_id}\tada\toperator\tdisabled", f"{new_id}\tada\toperator\tenabled"]
    )
    assert old.split("_")[2] not in listed.stdout + listed.stderr
    ring = key_ring(ChassisSettings(environment="test"))
    assert ring.check(old) is None
    assert ring.check(new) is not None


def test_a_key_that_is_not_there_cannot_be_disabled(keys: Any) -> None:
    refused = run("disable-key", "--id", "aaaaaaaa")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "There is no key aaaaaaaa; `list-keys` names all.\n"
    assert list(SampleKey.scan()) == []


@pytest.mark.parametrize("scopes", ["root", "operator,root", "", "operator;buyer"])
def test_a_bad_scope_makes_no_key_and_says_which_there_are(keys: Any, scopes: str) -> None:
    refused = run("add-key", "--name", "ada", "--scopes", scopes)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Scopes are buyer, operator, usage:read, usage:write; not")
    assert list(SampleKey.scan()) == []


def test_tables_are_created_on_a_local_engine_as_often_as_one_likes(aws_env: str) -> None:
    for _ in range(2):
        assert run("create-local").returncode == 0
    key_ring(ChassisSettings(environment="test"))
    assert SampleKey.exists()


def test_creating_tables_is_refused_in_production(aws_env: str) -> None:
    refused = run("create-local", ENVIRONMENT="production")
    assert refused.returncode == 1
    assert refused.stderr == (
        "create-local is for local engines; in production the deployment's stacks create tables.\n"
    )
    key_ring(ChassisSettings(environment="test"))
    assert not SampleKey.exists()


def test_bad_settings_stop_every_role_with_sentences(aws_env: str) -> None:
    refused = run("worker", PORT="none", CLOCK_URL="")
    assert refused.returncode == 78
    assert refused.stderr.startswith("Cannot start. PORT: ")
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("words", [[], ["dance"], ["add-key"], ["round"]])
def test_other_words_are_answered_with_the_usage(words: list[str]) -> None:
    refused = run(*words)
    assert refused.returncode == 2
    assert "usage: python -m sample" in refused.stderr


def test_every_line_of_a_command_is_json(aws_env: str) -> None:
    made = run("create-local", LOG_LEVEL="DEBUG")
    assert made.returncode == 0
    for line in made.stdout.splitlines():
        json.loads(line)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("", []),
        ("failing-", ["The first. (ValueError)", "'second' (KeyError)"]),
        ("stopped-", ["Told to stop."]),
    ],
)
def test_one_round_ends_with_0_or_with_a_sentence_for_each_failure(
    aws_env: str, how: str, says: list[str]
) -> None:
    done = run("round", "--once", TABLE_PREFIX=how)
    assert (done.returncode, done.stderr.splitlines()) == (1 if says else 0, says)


def test_the_server_keeps_quiet_connections_longer_than_those_who_reuse_them() -> None:
    _, _, _, *words = commands.server_command("sample.asgi:app", ChassisSettings(environment="test"))
    # AWS's load balancers reuse a connection that was quiet for up to 60 s.
    assert Config().parser().parse_args(words).keepalive > 60
