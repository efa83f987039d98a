"""`python -m no_op web`: served by the very command that serves metering."""

from chassis.commands import main
from metering.app import create_local, key_ring
from metering.settings import Settings

if __name__ == "__main__":
    main(
        service="no_op",
        settings=Settings,
        web="no_op.asgi:app",
        keys=key_ring,
        create_local=create_local,
    )
