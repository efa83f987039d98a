"""`python -m metering web | worker | create-local | add-key`."""

from chassis.commands import main
from metering.app import create_local, key_ring, work
from metering.settings import Settings

if __name__ == "__main__":
    main(
        service="metering",
        settings=Settings,
        web="metering.asgi:app",
        keys=key_ring,
        create_local=create_local,
        worker=work,
    )
