"""Each answer of AWS has a rule. The list of answers is botocore's own, so that a new one fails here."""

import botocore.session
import pytest
from botocore import exceptions

from metering.outcomes import (
    OF_ERROR,
    Failure,
    Verdict,
    of_status,
    when_refused,
    when_window_closed,
)
from metering.records import Outcome

MODEL = botocore.session.get_session().get_service_model("meteringmarketplace")
OPERATION = MODEL.operation_model("BatchMeterUsage")
STATUSES = OPERATION.output_shape.members["Results"].member.members["Status"].enum

# What the operation may answer (botocore 1.44.5), and what we do. Whoever meets a new name here decides.
DELIBERATE = {
    "DisabledApiException": Verdict.STOP,
    "InternalServiceErrorException": Verdict.TRY_AGAIN_IN_DOUBT,
    "InvalidCustomerIdentifierException": Verdict.RECORD_AT_FAULT,
    "InvalidLicenseException": Verdict.RECORD_AT_FAULT,
    "InvalidProductCodeException": Verdict.STOP_PRODUCT,
    "InvalidTagException": Verdict.RECORD_AT_FAULT,
    "InvalidUsageAllocationsException": Verdict.RECORD_AT_FAULT,
    "InvalidUsageDimensionException": Verdict.RECORD_AT_FAULT,
    "ThrottlingException": Verdict.TRY_AGAIN,
    "TimestampOutOfBoundsException": Verdict.OUTSIDE_WINDOW,
}


def test_every_error_of_the_model_has_a_deliberate_verdict() -> None:
    names = {shape.metadata.get("error", {}).get("code", shape.name) for shape in OPERATION.error_shapes}
    assert names == set(DELIBERATE)
    assert {name: OF_ERROR[name] for name in names} == DELIBERATE


def test_every_status_of_the_model_has_an_outcome() -> None:
    assert {status: of_status(status, was_in_doubt=False) for status in STATUSES} == {
        "Success": Outcome.BILLED,
        "CustomerNotSubscribed": Outcome.NOT_SUBSCRIBED,
        "DuplicateRecord": Outcome.DUPLICATE_CONFLICT,
    }


def test_the_names_that_boto3_raises_exist() -> None:
    ours = {name for name in OF_ERROR if name.endswith("Error")}
    assert {name for name in ours if not hasattr(exceptions, name)} == set()


@pytest.mark.parametrize(
    "code", ["ServiceUnavailable", "ThrottlingException", "AccessDeniedException", "Whatever"]
)
def test_prior_art_02_whatever_a_5xx_is_called_it_leaves_a_doubt(code: str) -> None:
    assert Failure(code, 500, "").verdict is Verdict.TRY_AGAIN_IN_DOUBT
    assert Failure(code, 503, "").verdict is Verdict.TRY_AGAIN_IN_DOUBT


@pytest.mark.parametrize(
    "code", ["ReadTimeoutError", "ConnectionClosedError", "HTTPClientError", "", "NewAtAws"]
)
def test_a_lost_answer_and_an_unforeseen_error_leave_a_doubt(code: str) -> None:
    assert Failure(code, None, "").verdict is Verdict.TRY_AGAIN_IN_DOUBT
    assert Failure(code, 400, "").verdict is Verdict.TRY_AGAIN_IN_DOUBT


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "NoCredentialsError"])
def test_prior_art_02_a_fault_of_ours_is_no_fault_of_a_record(code: str) -> None:
    assert Failure(code, 400, "").verdict is Verdict.STOP


@pytest.mark.parametrize("code", ["EndpointConnectionError", "ConnectTimeoutError", "ThrottlingException"])
def test_prior_art_12_what_never_reached_aws_is_tried_again(code: str) -> None:
    assert Failure(code, None, "").verdict is Verdict.TRY_AGAIN


def test_a_status_that_is_new_to_us_is_no_outcome() -> None:
    assert of_status("NewAtAws", was_in_doubt=False) is None


def test_in_doubt_a_refusal_does_not_say_that_nothing_is_billed() -> None:
    assert when_refused(was_in_doubt=False) is Outcome.REJECTED
    assert when_refused(was_in_doubt=True) is Outcome.UNKNOWN
    assert of_status("CustomerNotSubscribed", was_in_doubt=True) is Outcome.UNKNOWN
    assert of_status("Success", was_in_doubt=True) is Outcome.BILLED
    assert when_window_closed(in_doubt=False) is Outcome.EXPIRED
    assert when_window_closed(in_doubt=True) is Outcome.UNKNOWN
