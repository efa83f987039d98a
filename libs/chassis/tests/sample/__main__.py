"""`python -m sample ROLE`."""

import os
import signal
import threading

from chassis.commands import Stop, main
from chassis.settings import ChassisSettings
from chassis.worker import every, run_worker
from sample.app import checks, create_local, key_ring


def die(_stop: threading.Event) -> None:
    """A loop that ends its thread: SystemExit is no Exception, so nothing holds it back."""
    raise SystemExit


def fail() -> None:
    raise RuntimeError("a mistake of ours, by ada@example.com")


def run(settings: ChassisSettings) -> None:
    loops = {"steady": every(0.01, lambda: None)}
    # A name that only the tests give: which loops run is no setting of a service.
    if settings.table_prefix == "dying-":
        loops["dying"] = die
    if settings.table_prefix == "failing-":
        loops["failing"] = every(0.01, fail)
    run_worker("sample-worker", settings, loops, {"shelf": lambda: None})


def take_a_round(settings: ChassisSettings, stop: Stop) -> list[str]:
    """Goes wrong as the prefix wishes."""
    if settings.table_prefix == "failing-":
        raise ExceptionGroup("Two of them.", [ValueError("The first."), KeyError("second")])
    if settings.table_prefix == "stopped-":
        os.kill(os.getpid(), signal.SIGTERM)
        return ["Told to stop."] if stop() else []
    return []


main(
    service="sample",
    settings=ChassisSettings,
    web="sample.asgi:app",
    keys=key_ring,
    create_local=create_local,
    worker=run,
    once={"round": take_a_round},
    checks=checks,
)
