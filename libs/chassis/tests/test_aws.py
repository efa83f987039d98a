"""Clients that do not wait for ever, and the question whether a call may be made again as it is."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from pynamodb.exceptions import GetError
from sample.app import SampleKey, key_ring

from chassis.aws import LONG_POLL_SECONDS, client, error_code, is_outage
from chassis.settings import ChassisSettings


def says(code: str, status: int = 400, reasons: list[str] | None = None) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    if reasons is not None:
        answer["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(answer, "Operation")


@pytest.mark.parametrize(
    "error",
    [
        says("Anything", 500),
        says("ThrottlingException"),
        says("ProvisionedThroughputExceededException"),
        says("TransactionConflictException"),
        says("TransactionCanceledException", reasons=["None", "TransactionConflict", "ThrottlingError"]),
        EndpointConnectionError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
        ResponseParserError("no JSON"),
        NoCredentialsError(),
    ],
)
def test_an_outage_may_be_asked_again(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        says("AccessDeniedException"),
        says("ValidationException"),
        says("ConditionalCheckFailedException"),
        says("TransactionCanceledException", reasons=["ConditionalCheckFailed", "TransactionConflict"]),
        says("TransactionCanceledException", reasons=[]),
        ParamValidationError(report="x"),
        ValueError("x"),
    ],
)
def test_a_refusal_stays_one(error: Exception) -> None:
    assert not is_outage(error)


@pytest.mark.parametrize(
    ("answer", "outage"),
    [
        ((503, b"<html>bad gateway</html>"), True),
        ((500, b'{"__type": "com.amazonaws#Unheard"}'), True),
        ((400, b'{"__type": "com.amazonaws#ThrottlingException"}'), True),
        ((400, b'{"__type": "com.amazonaws#AccessDeniedException"}'), False),
    ],
)
def test_pynamodbs_errors_are_told_apart_too(
    aws_env: str, serve: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, answer: Any, outage: bool
) -> None:
    server = serve()
    server.answer = answer
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
    key_ring(ChassisSettings(environment="test", aws_attempts=1))
    with pytest.raises(GetError) as error:
        SampleKey.get("x")
    assert is_outage(error.value) is outage
    assert is_outage(error.value.cause) is outage
    assert len(server.asked) == 1


def test_an_error_has_awss_own_name_or_that_of_the_exception() -> None:
    assert error_code(says("InvalidTokenException")) == "InvalidTokenException"
    assert error_code(ClientError({}, "Operation")) == "Unknown"
    assert error_code(NoCredentialsError()) == "NoCredentialsError"


def test_a_client_has_the_settings_time_outs_and_attempts(aws_env: str) -> None:
    settings = ChassisSettings(aws_connect_timeout_seconds=1.5, aws_read_timeout_seconds=7, aws_attempts=4)
    config = client(settings, "dynamodb").meta.config
    assert (config.connect_timeout, config.read_timeout) == (1.5, 7)
    assert config.retries["total_max_attempts"] == 4
    once = client(settings, "meteringmarketplace", region="eu-west-1", attempts=1)
    assert once.meta.region_name == "eu-west-1"
    assert once.meta.config.retries["total_max_attempts"] == 1


def test_a_long_poll_may_take_its_time_beside_the_time_out(aws_env: str) -> None:
    config = client(ChassisSettings(aws_read_timeout_seconds=2), "sqs").meta.config
    assert config.read_timeout == 2 + LONG_POLL_SECONDS


def test_no_test_reaches_aws(aws_env: str) -> None:
    """The fixture points every service at the engine or at nothing."""
    settings = ChassisSettings(aws_attempts=1)
    started = time.monotonic()
    with pytest.raises(EndpointConnectionError):
        client(settings, "meteringmarketplace").resolve_customer(RegistrationToken="x")
    with pytest.raises(EndpointConnectionError):
        client(settings, "sts").get_caller_identity()
    assert time.monotonic() - started < settings.aws_connect_timeout_seconds * 2
