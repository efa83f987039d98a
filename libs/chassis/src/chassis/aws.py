"""AWS clients with time-outs and bounded retries. Endpoints come from `AWS_ENDPOINT_URL_*`, which boto3
itself reads."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from pynamodb.exceptions import PynamoDBException, VerboseClientError

from chassis import clock_skew
from chassis.settings import ChassisSettings

# The longest that a queue is asked to wait for a first message. SQS would take 20; a worker that is told to
# stop waits as long.
LONG_POLL_SECONDS = 5

# What botocore and DynamoDB call "not now": the call may be made again as it is.
TRANSIENT_CODES = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "Throttling",
        "RequestThrottled",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestTimeout",
        "RequestTimeoutException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "OverLimit",
    }
)

# The same, as DynamoDB spells it among a cancelled transaction's reasons.
_TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


def client(
    settings: ChassisSettings,
    service: str,
    region: str | None = None,
    attempts: int | None = None,
    session: boto3.session.Session | None = None,
    **config: Any,
) -> Any:
    """A boto3 client.

    Args:
        settings: where the Region, the time-outs and the number of attempts stand.
        service: boto3's name, such as `sqs`.
        region: another Region than that of our tables; some Marketplace APIs live in one only.
        attempts: how often a call is tried; the settings' number when None.
        session: whose credentials sign; our own when None.
        config: further members of botocore's Config.
    """
    made = (session or boto3.session.Session()).client(
        service,
        region_name=region or settings.aws_region,
        config=Config(
            connect_timeout=settings.aws_connect_timeout_seconds,
            # A long poll is no slow answer.
            read_timeout=settings.aws_read_timeout_seconds + (LONG_POLL_SECONDS if service == "sqs" else 0),
            retries={"mode": "standard", "total_max_attempts": attempts or settings.aws_attempts},
            max_pool_connections=settings.web_threads,
            **config,
        ),
    )
    clock_skew.watch(made)
    return made


def error_code(error: BaseException) -> str:
    """AWS's own name of the error, or that of the exception where no answer came."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def cause_code(error: PynamoDBException) -> str:
    """AWS's own name of what is behind an error of pynamodb's; empty where nothing is. (Its own
    `cause_response_code` fails itself where a connection was lost.)"""
    return error_code(error.cause) if error.cause is not None else ""


def is_outage(error: BaseException | None) -> bool:
    """True where AWS did not answer, answered 5xx, or asked us to slow down: the same call may succeed later.

    Takes boto3's errors and pynamodb's.
    """
    if isinstance(error, PynamoDBException):
        error = error.cause
    if isinstance(error, VerboseClientError) and isinstance(error.__cause__, ClientError):
        error = error.__cause__  # pynamodb's copy has neither the status nor the cancellation reasons
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error_code(error) in TRANSIENT_CODES or _cancelled_by_the_moment(error)
    # A call with wrong parameters never left this process; it will be as wrong the next time.
    return isinstance(error, BotoCoreError | ResponseParserError) and not isinstance(
        error, ParamValidationError
    )


def _cancelled_by_the_moment(error: ClientError) -> bool:
    """True for a transaction of which nothing but a conflict or a throttle is wrong."""
    given = error.response.get("CancellationReasons", [])
    reasons = {reason.get("Code", "None") for reason in given} - {"None"}
    return bool(reasons) and reasons <= _TRANSIENT_REASONS
