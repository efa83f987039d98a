"""One JSON object a line, whoever logs; no secret in any of them."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from chassis import logs
from chassis.auth import Caller

LogLines = Callable[[], list[dict[str, Any]]]

KEY = "mpk_abcdefgh_abcdefghijklmnopqrstuvwxyz234567"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
EMAIL = "ada.l+aws@mail.example.com"


def test_a_line_is_a_sentence_and_its_values_as_fields(log_lines: LogLines) -> None:
    structlog.get_logger().info("The hour is sealed.", hour="2026-11-22T10", quantity=3)
    (line,) = log_lines()
    assert line["event"] == "The hour is sealed."
    assert (line["hour"], line["quantity"], line["level"], line["service"]) == (
        "2026-11-22T10",
        3,
        "info",
        "sample-web",
    )
    assert line["timestamp"].endswith("Z")


def test_ids_bound_to_the_context_are_on_every_line_also_on_those_of_libraries(log_lines: LogLines) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1", subscription_id="sub_1"):
        structlog.get_logger().info("One.")
        logging.getLogger("some.library").warning("Two %s.", "things")
    structlog.get_logger().info("Three.")
    one, two, three = log_lines()
    assert (one["request_id"], two["request_id"], two["event"]) == ("r-1", "r-1", "Two things.")
    assert two["level"] == "warning"
    assert two.keys() == one.keys()
    assert "request_id" not in three


def test_an_exception_becomes_text_in_its_line(log_lines: LogLines) -> None:
    try:
        raise LookupError("no such shelf\nand a second line")
    except LookupError:
        structlog.get_logger().exception("It failed.")
        logging.getLogger("some.library").exception("So did this.")
    ours, theirs = log_lines()
    for line in (ours, theirs):
        assert line["level"] == "error"
        assert line["exception"].startswith("Traceback")
        assert "LookupError: no such shelf" in line["exception"]


def test_what_a_library_chats_about_is_not_written(log_lines: LogLines) -> None:
    for name in ("httpx", "botocore.retries", "urllib3.connectionpool", "uvicorn.access"):
        logging.getLogger(name).info("GET /?token=secret")
    logging.getLogger("connexion.validators.form_data").error("Validation error: 'secret' is too long")
    logging.getLogger("connexion.middleware.exceptions").warning("secret")
    structlog.get_logger().debug("Too quiet.")
    assert log_lines() == []


def test_a_server_library_with_handlers_of_its_own_is_brought_into_form(log_lines: LogLines) -> None:
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.addHandler(logging.StreamHandler())
    uvicorn.propagate = False
    logs.configure("sample-web", stream=logging.getLogger().handlers[0].stream)  # type: ignore[attr-defined]
    uvicorn.error("Exception in ASGI application")
    assert log_lines()[-1]["event"] == "Exception in ASGI application"


@pytest.mark.parametrize(
    "fields",
    [
        {"token": "opaque"},
        {"Registration_Token": "opaque"},
        {"request": {"headers": {"X-API-Key": "opaque", "Cookie": "opaque"}}},
        {"form": [{"x-amzn-marketplace-token": "opaque"}]},
        {"customer": {"contact": {"email": "opaque"}}},
    ],
)
def test_secrets_are_withheld_by_name_at_any_depth(log_lines: LogLines, fields: dict[str, Any]) -> None:
    structlog.get_logger().info("A customer.", **fields)
    (line,) = log_lines()
    assert "opaque" not in str(line)
    assert "withheld" in str(line)


@pytest.mark.parametrize("secret", [KEY, JWT, EMAIL])
def test_secrets_are_withheld_by_their_shape_wherever_they_stand(log_lines: LogLines, secret: str) -> None:
    log = structlog.get_logger()
    log.info(f"Read {secret}.", path=f"/v1/things?x={secret}", many=[(secret,)], by={secret: {"a": secret}})
    log.info("A caller.", caller=Caller("ada", frozenset(), facts={"upn": secret}), error=ValueError(secret))
    logging.getLogger("some.library").warning("Got %r", secret)
    try:
        raise ValueError(f"bad input:\n{secret}")
    except ValueError:
        log.exception("It failed.")
    lines = log_lines()
    assert len(lines) == 4
    values = [value for line in lines for name, value in line.items() if name != "by"]
    assert secret not in str(values)
    assert str(values).count("withheld") >= 6


def test_arns_ids_and_times_are_not_taken_for_secrets(log_lines: LogLines) -> None:
    fields = {
        "license_arn": "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff",
        "subscription_id": "sub_abcdefghijklmnopqrstuvwxyz",
        "hour": "2026-11-22T10:00:00.000000Z",
        "event_id": "endpoint/e-1/2026-11-22T10",
        "amount": 1.5,
        "more": True,
        "nothing": None,
    }
    structlog.get_logger().info("A record.", **fields)
    assert log_lines()[0].items() >= fields.items()


def test_what_json_cannot_hold_does_not_lose_the_line(log_lines: LogLines) -> None:
    loop: list[Any] = []
    loop.append(loop)
    structlog.get_logger().info("Odd.", odd={(1, 2): b"\xff", "set": {1}, "loop": loop, "bad": "\ud800"})
    assert log_lines()[0]["odd"]["set"] == [1]
