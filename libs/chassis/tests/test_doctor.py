"""What `doctor` finds: on the real local engine, and by answers that a local engine does not give."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from pynamodb.attributes import TTLAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model
from test_commands import run

from chassis import checks
from chassis.aws import client
from chassis.checks import call_check, clock_check, queue_checks, table_checks
from chassis.doctor import Check, Finding, Ill, examine
from chassis.queues import create_queue_with_dlq
from chassis.settings import ChassisSettings
from chassis.tables import bind, create_tables


class ByColour(GlobalSecondaryIndex["PearRow"]):
    class Meta:
        index_name = "by-colour"
        projection = KeysOnlyProjection()

    colour = UnicodeAttribute(hash_key=True)


class PearRow(Model):
    class Meta:
        table_name = "doctor-pears"

    pear = UnicodeAttribute(hash_key=True)
    picked = UnicodeAttribute(range_key=True)
    colour = UnicodeAttribute()
    eaten = TTLAttribute()
    by_colour = ByColour()


@pytest.fixture
def local(aws_env: str) -> ChassisSettings:
    found = ChassisSettings(environment="test")
    bind([PearRow], found)
    return found


@pytest.fixture
def tables(local: ChassisSettings) -> Iterator[ChassisSettings]:
    create_tables([PearRow])
    yield local
    PearRow.delete_table()


def only(found: list[Check]) -> Finding:
    [finding] = examine(found)
    return finding


def refusal(code: str, status: int = 400, message: str = "No.") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "Ask",
    )


def raising(error: Exception) -> Any:
    def call() -> Any:
        raise error

    return call


def test_a_table_as_it_has_to_be(tables: ChassisSettings) -> None:
    finding = only(table_checks([PearRow], tables))
    assert str(finding) == f"ok  table {PearRow.Meta.table_name}: there, with by-colour"


def test_a_table_that_is_not_there(local: ChassisSettings) -> None:
    finding = only(table_checks([PearRow], local))
    assert finding.what == "It is not there."
    assert finding.mend
    assert "stack" in finding.mend


@pytest.mark.parametrize(
    ("key", "index", "says"),
    [
        ("pear", "", "Its key is pear, not pear, picked."),
        ("pear, picked", "", "It lacks the index by-colour by colour."),
        ("pear, picked", "picked", "It lacks the index by-colour by colour."),
    ],
)
def test_a_table_of_another_release(local: ChassisSettings, key: str, index: str, says: str) -> None:
    dynamodb = client(local, "dynamodb")
    names = key.split(", ")
    more = {}
    if index:
        more["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "by-colour",
                "KeySchema": [{"AttributeName": index, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    dynamodb.create_table(
        TableName=PearRow.Meta.table_name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        **more,
    )
    try:
        assert only(table_checks([PearRow], local)).what == says
    finally:
        PearRow.delete_table()


class PlayedTables:
    """DynamoDB as it is deployed, which a local engine is not."""

    def __init__(self, forgets: dict[str, str], recovers: str) -> None:
        self._forgets, self._recovers = forgets, recovers

    def describe_table(self, TableName: str) -> Any:
        return {
            "Table": {
                "TableStatus": "ACTIVE",
                "KeySchema": [
                    {"AttributeName": "pear", "KeyType": "HASH"},
                    {"AttributeName": "picked", "KeyType": "RANGE"},
                ],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "by-colour",
                        "IndexStatus": "ACTIVE",
                        "KeySchema": [{"AttributeName": "colour", "KeyType": "HASH"}],
                    }
                ],
            }
        }

    def describe_time_to_live(self, TableName: str) -> Any:
        return {"TimeToLiveDescription": self._forgets}

    def describe_continuous_backups(self, TableName: str) -> Any:
        recovery = {"PointInTimeRecoveryStatus": self._recovers}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}


FORGETS = {"TimeToLiveStatus": "ENABLED", "AttributeName": "eaten"}


@pytest.mark.parametrize(
    ("forgets", "recovers", "says"),
    [
        (FORGETS, "ENABLED", "there, with by-colour; recoverable"),
        ({"TimeToLiveStatus": "DISABLED"}, "ENABLED", "It forgets nothing"),
        (FORGETS | {"AttributeName": "picked"}, "ENABLED", "It forgets nothing"),
        (FORGETS, "DISABLED", "It cannot be brought back to a second of the past."),
    ],
)
def test_in_production_a_table_forgets_and_can_be_brought_back(
    monkeypatch: pytest.MonkeyPatch, forgets: dict[str, str], recovers: str, says: str
) -> None:
    monkeypatch.setattr(checks, "client", lambda *_, **__: PlayedTables(forgets, recovers))
    assert only(table_checks([PearRow], ChassisSettings(environment="production"))).what.startswith(says)


def test_a_queue_keeps_what_fails(local: ChassisSettings) -> None:
    sqs = client(local, "sqs")
    create_queue_with_dlq(sqs, "doctor-pears")
    sqs.create_queue(QueueName="doctor-lone")
    sqs.create_queue(QueueName="doctor-short", Attributes={"MessageRetentionPeriod": "3600"})
    found = {
        finding.part: finding
        for finding in examine(
            queue_checks(
                local,
                read=["doctor-pears", "doctor-lone", "doctor-short", "doctor-none"],
                sent_to=["doctor-lone", "doctor-nowhere"],
            )
        )
    }
    assert found["queue doctor-pears"].what == "there; after 5 receipts a message goes to doctor-pears-dlq"
    assert found["queue doctor-pears"].mend is None
    assert found["queue doctor-short"].what == "It keeps messages for 1:00:00 only."
    assert found["queue doctor-none"].what == "doctor-none is not there."
    # It is looked at twice: who only sends does not ask for more than that it is there.
    assert found["queue doctor-lone"].what == "there"
    assert found["queue doctor-nowhere"].mend
    [read] = examine(queue_checks(local, read=["doctor-lone"]))
    assert read.what == "It has no dead-letter queue: what fails again and again is lost."


@pytest.mark.parametrize(
    ("off", "says"),
    [
        (timedelta(), "within half a minute of AWS's"),
        (timedelta(minutes=5), "s ahead of AWS's."),
        (timedelta(minutes=-5), "s behind AWS's."),
    ],
)
def test_the_clock(local: ChassisSettings, off: timedelta, says: str) -> None:
    finding = only([clock_check(local, PearRow, lambda: datetime.now(UTC) + off)])
    assert finding.what.endswith(says)
    assert (finding.mend is None) == (off == timedelta())


def test_a_refusal_of_what_is_asked_is_an_answer() -> None:
    assert only([call_check("AWS", dict)]).what == "AWS answers us"
    assert only([call_check("AWS", raising(refusal("InvalidTokenException")))]).mend is None
    wrong = {"InvalidParameterException": Ill("No such product.", "Mend the catalogue.")}
    finding = only([call_check("AWS", raising(refusal("InvalidParameterException")), wrong)])
    assert (finding.what, finding.mend) == ("No such product.", "Mend the catalogue.")


@pytest.mark.parametrize(
    ("error", "says", "mend"),
    [
        (refusal("AccessDeniedException", message="Not authorized to perform: a:B"), "a:B", "role's policy"),
        (refusal("UnrecognizedClientException"), "does not take the credentials", "Renew them"),
        (NoCredentialsError(), "There are no credentials", "AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="https://none.invalid"), "cannot be asked", "AWS_REGION"),
        (refusal("InternalServiceErrorException", 500), "cannot be asked", "Region"),
    ],
)
def test_what_is_wrong_with_us_is_said_with_its_mend(error: Exception, says: str, mend: str) -> None:
    finding = only([call_check("AWS", raising(error))])
    assert says in finding.what
    assert finding.mend
    assert mend in finding.mend


def test_the_command_prints_a_line_each_and_says_whether_all_is_well(aws_env: str) -> None:
    ill = run("doctor")
    assert ill.returncode == 1
    assert ill.stdout.splitlines() == [
        "ok  clock: within half a minute of AWS's",
        "ILL table marketplane-sample-api-keys: It is not there.",
        "    Deploy the service's stack, or run `create-local` on a local engine.",
        "",
        "2 looked at, 1 to mend.",
    ]
    assert run("create-local").returncode == 0
    well = run("doctor")
    assert (well.returncode, well.stdout.splitlines()[-1]) == (0, "2 looked at, 0 to mend.")
