"""`python -m notifications web|worker|doctor|create-local|add-key|list-keys|disable-key`"""

from chassis.aws import client
from chassis.clock import clock_for
from chassis.commands import main
from chassis.worker import run_worker
from notifications.app import SERVICE, build_marketplace, build_worker, checks, create_local, key_ring
from notifications.settings import Settings


def work(settings: Settings) -> None:
    """Run the worker until stopped."""
    marketplace = build_marketplace(settings)
    assembled = build_worker(settings, clock_for(settings), client(settings, "sqs"), marketplace)
    run_worker(f"{SERVICE}-worker", settings, assembled.loops, assembled.readiness)


if __name__ == "__main__":
    main(
        service=SERVICE,
        settings=Settings,
        web="notifications.asgi:app",
        keys=key_ring,
        create_local=create_local,
        worker=work,
        checks=checks,
    )
