"""Assembles the sample service, as a real service's app.py does."""

from pathlib import Path
from typing import Any

import connexion

from chassis.auth import ApiKey, Caller, KeyRing
from chassis.settings import ChassisSettings
from chassis.tables import bind, create_tables
from chassis.web import build_web_app

CONTRACT = Path(__file__).parent / "contract.yaml"


class SampleKey(ApiKey):
    class Meta:
        table_name = "sample-api-keys"


def key_ring(settings: ChassisSettings) -> KeyRing:
    bind([SampleKey], settings)
    return KeyRing(SampleKey)


def create_local(settings: ChassisSettings) -> None:
    bind([SampleKey], settings)
    create_tables([SampleKey])


def build(
    settings: ChassisSettings, keys: KeyRing, notes: list[Any], headers: dict[str, str] | None = None
) -> connexion.FlaskApp:
    """The web application; `notes` is its shelf, and away while "away" lies on it."""

    def shelf() -> None:
        if "away" in notes:
            raise ConnectionError("the shelf is away")

    return build_web_app(
        service="sample",
        contract=CONTRACT,
        settings=settings,
        keys=keys,
        parts=notes,
        readiness={"shelf": shelf},
        sessions={
            "X-Note-Session": lambda secret: Caller("session", frozenset()) if secret == "right" else None
        },
        headers=headers,
    )
