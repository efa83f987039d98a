"""Metering's contract, of which one operation is asked. It says that all is accepted, and keeps nothing."""

import os
from typing import Any

from chassis.contract import load_contract, named_schema
from chassis.settings import load
from chassis.validation import compile_schema
from chassis.web import json_answer
from metering.api import *  # noqa: F403 - the contract's other operations: nobody asks for them
from metering.app import contract_file
from metering.settings import Settings

_LOOKS_AT_ROWS = os.environ["LOOKS_AT_ROWS"] == "1"
_row = named_schema(load_contract(contract_file(load(Settings))), "UsageEvent")
_ROWS = compile_schema({"type": "array", "items": _row})


async def post_usage_events(body: Any, content_type: str) -> Any:
    """Every row is checked against the contract, by one call of the compiled validator; or none is looked
    at. Answered where metering answers: in the event loop, past Connexion."""
    rows = body["events"]
    if _LOOKS_AT_ROWS and not _ROWS.is_valid(rows):
        raise ValueError("The load is to be good.")
    return json_answer({"accepted": len(rows), "refused": []}, 202)
