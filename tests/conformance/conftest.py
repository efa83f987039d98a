"""The engine under test: ministack, or Amazon's DynamoDB Local under ENGINE=dynamodb-local."""

from tools.engine_fixture import account, engine, make_table

__all__ = ["account", "engine", "make_table"]
