"""The engine that the fault proxy stands in front of."""

from tools.engine_fixture import account, engine, make_table

__all__ = ["account", "engine", "make_table"]
