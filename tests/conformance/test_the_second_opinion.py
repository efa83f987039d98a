"""Says which engine judged the tables, and how to ask the other."""

import pytest
from botocore.exceptions import ClientError

from tools import dynamodb_local
from tools.engine_fixture import Account, Engine


def test_tables_are_judged_by_amazons_own_engine_too(engine: Engine, account: Account) -> None:
    if engine.name != "dynamodb-local":
        pytest.skip(f"Only ministack was asked. {dynamodb_local.HOW}")
    # It knows no queues: it is not ministack in disguise.
    with pytest.raises(ClientError):
        account.client("sqs", at=engine.tables).list_queues()
    assert account.client("dynamodb").list_tables()["TableNames"] == []
