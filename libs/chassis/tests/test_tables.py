"""Tables, times as text, and cursors that a stranger may forge. On the real engine."""

import base64
import contextlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.exceptions import GetError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chassis.aws import client
from chassis.problems import Problem
from chassis.settings import ChassisSettings
from chassis.tables import TimeAttribute, ask, bind, create_tables, decode_cursor, encode_cursor, read_page

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_model() -> type[Model]:
    class Reading(Model):
        class Meta:
            table_name = "readings"

        meter = UnicodeAttribute(hash_key=True)
        at = TimeAttribute(range_key=True)
        value = NumberAttribute(default=0)

    return Reading


@pytest.fixture
def reading(aws_env: str) -> Any:
    model = make_model()
    bind([model], ChassisSettings(environment="test"))
    create_tables([model])
    return model


def test_binding_gives_the_full_name_region_and_time_outs(aws_env: str) -> None:
    model: Any = make_model()
    settings = ChassisSettings(
        table_prefix="here-",
        aws_region="eu-west-1",
        aws_read_timeout_seconds=7,
        aws_attempts=4,
        web_threads=9,
    )
    bind([model], settings)
    connection = bind([model], settings)  # once more: the prefix does not grow
    assert (model.Meta.table_name, model.Meta.max_retry_attempts) == ("here-readings", 3)
    made = connection.client.meta
    assert (made.region_name, made.config.read_timeout, made.config.retries) == (
        "eu-west-1",
        7,
        {"total_max_attempts": 4, "mode": "standard"},
    )
    bind([model], ChassisSettings(table_prefix="there-"))
    assert model.Meta.table_name == "there-readings"


def test_tables_share_one_connection_and_its_client(aws_env: str) -> None:
    readings, others = make_model(), make_model()
    others.Meta.table_name = "others"
    models: list[Any] = [readings, others]
    connection = bind(models, ChassisSettings(environment="test"))
    create_tables(models)
    for model in models:
        model("m", NOON).save()
        assert model.get("m", NOON).at == NOON
        assert model._get_connection().connection is connection
    with TransactWrite(connection=connection) as transaction:
        for model in models:
            transaction.delete(model("m", NOON))
    assert [list(model.scan()) for model in models] == [[], []]


def test_binding_again_goes_to_the_new_place(reading: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reading("m", NOON).save()
    bind([reading], ChassisSettings(table_prefix="other-"))
    with pytest.raises(GetError, match="other-readings"):
        reading.get("m", NOON)


def test_creating_is_idempotent_and_loses_nothing(reading: Any) -> None:
    reading("m", NOON).save()
    create_tables([reading])
    assert reading.get("m", NOON).at == NOON


def test_a_local_engine_forgets_nothing_by_its_own_clock(aws_env: str) -> None:
    class Visit(Model):
        class Meta:
            table_name = "visits"

        visit_id = UnicodeAttribute(hash_key=True)
        delete_after = TTLAttribute()

    bind([Visit], ChassisSettings())
    create_tables([Visit])
    dynamodb = client(ChassisSettings(), "dynamodb")
    told = dynamodb.describe_time_to_live(TableName=Visit.Meta.table_name)["TimeToLiveDescription"]
    assert told["TimeToLiveStatus"] == "DISABLED"


def test_many_processes_may_create_at_once(aws_env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4)
    models = [make_model() for _ in range(4)]
    for model in models:
        bind([model], ChassisSettings())

    def create(model: type[Model]) -> None:
        exists = model.exists

        def exists_for_all() -> bool:
            found = exists()
            together.wait(timeout=30)  # everyone has been told that there is no table
            return found

        model.exists = exists_for_all  # type: ignore[method-assign]
        create_tables([model])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(create, models))
    models[0]("m", NOON).save()


def test_a_mistake_in_creating_is_told(aws_env: str) -> None:
    model: Any = make_model()
    bind([model], ChassisSettings(table_prefix="not allowed here "))
    with pytest.raises(Exception, match=r"(?i)tablename|valid"):
        create_tables([model])


def test_asking_raises_while_the_table_cannot_be_reached(
    reading: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(reading)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    bind([reading], ChassisSettings(aws_attempts=1))
    with pytest.raises(Exception, match="Could not connect"):
        ask(reading)


def test_times_keep_their_order_and_come_back_aware(reading: Any) -> None:
    times = [NOON + timedelta(microseconds=n * 7_777_777) for n in (0, 1, 5, -3)] + [
        NOON - timedelta(days=400)
    ]
    for at in times:
        reading("m", at).save()
    assert [row.at for row in reading.query("m")] == sorted(times)
    assert [row.at for row in reading.query("m", reading.at >= NOON)] == sorted(t for t in times if t >= NOON)
    with pytest.raises(ValueError, match="without a zone"):
        reading("m", datetime(2026, 11, 22)).save()  # noqa: DTZ001  (the mistake under test)


def test_pages_follow_each_other_also_with_a_filter(reading: Any) -> None:
    for n in range(10):
        reading("m", NOON + timedelta(hours=n), value=n).save()
    found, sizes, cursor = [], [], None
    while True:
        results = reading.query(
            "m",
            filter_condition=reading.value >= 5,
            page_size=4,
            last_evaluated_key=decode_cursor(cursor),
        )
        rows, key = read_page(results)
        found += [int(row.value) for row in rows]
        sizes.append(len(rows))
        cursor = encode_cursor(key)
        if cursor is None:
            break
    # A page is what was read, not what passed the filter: it may be empty and yet not the last.
    assert (found, sizes) == ([5, 6, 7, 8, 9], [0, 3, 2])


def test_a_page_of_nothing_is_the_last(reading: Any) -> None:
    assert read_page(reading.query("absent", page_size=4)) == ([], None)
    assert encode_cursor(None) is None
    assert decode_cursor(None) is None


def forged(key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "ä",
        "e30",
        forged([]),
        forged({"meter": "m"}),
        forged({"meter": {"S": ""}}),
        forged({"meter": {"S": "m", "N": "1"}}),
        forged({"meter": {"B": "bQ=="}}),
        forged({"meter": {"S": 7}}),
        forged({"meter": {"S": "\ud800"}}),
        base64.urlsafe_b64encode(b"[" * 5000).decode(),
        base64.urlsafe_b64encode(b'{"n":' + b"1" * 5000 + b"}").decode(),
    ],
)
def test_a_cursor_that_is_none_is_the_callers_mistake(cursor: str) -> None:
    with pytest.raises(Problem) as refusal:
        decode_cursor(cursor)
    assert refusal.value.status == 400
    assert refusal.value.errors == [{"in": "query", "path": "cursor", "reason": "not a cursor of this list"}]


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_cursor_is_our_mistake(cursor: str) -> None:
    with contextlib.suppress(Problem):
        decode_cursor(cursor)


@pytest.mark.parametrize(
    "key",
    [
        {"another": {"S": "x"}},
        {"meter": {"S": "m"}},
        {"meter": {"N": "1"}, "at": {"S": "2026-11-22T12:00:00.000000Z"}},
        {"meter": {"N": "one"}, "at": {"S": "x"}},
        {"meter": {"S": "x" * 5000}, "at": {"S": "x"}},
    ],
)
def test_a_cursor_of_another_list_is_the_callers_mistake(reading: Any, key: dict[str, Any]) -> None:
    for n in range(3):
        reading("m", NOON + timedelta(hours=n)).save()
    with pytest.raises(Problem) as refusal:
        read_page(reading.query("m", page_size=1, last_evaluated_key=decode_cursor(forged(key))))
    assert refusal.value.status == 400


def test_a_cursor_of_someone_else_does_not_show_their_rows(reading: Any) -> None:
    for meter in ("mine", "theirs"):
        for n in range(3):
            reading(meter, NOON + timedelta(hours=n)).save()
    _, key = read_page(reading.query("theirs", page_size=1))
    rows: list[Any] = []
    with contextlib.suppress(Problem):  # what AWS does: the key lies outside the query
        rows, _ = read_page(reading.query("mine", page_size=9, last_evaluated_key=key))
    assert {row.meter for row in rows} <= {"mine"}


def test_an_outage_while_paging_is_no_callers_mistake(
    reading: Any, monkeypatch: pytest.MonkeyPatch, log_lines: Callable[[], Any]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    bind([reading], ChassisSettings(aws_attempts=1))
    with pytest.raises(Exception, match="Could not connect") as away:
        read_page(reading.query("m", page_size=1))
    assert not isinstance(away.value, Problem)
