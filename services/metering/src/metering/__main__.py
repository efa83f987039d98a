"""`python -m metering web | worker | submit | doctor | create-local | add-key | list-keys | disable-key`."""

from chassis.commands import main
from metering.app import checks, create_local, key_ring, submit, work
from metering.settings import Settings

if __name__ == "__main__":
    main(
        service="metering",
        settings=Settings,
        web="metering.asgi:app",
        keys=key_ring,
        create_local=create_local,
        worker=work,
        once={"submit": submit},
        checks=checks,
    )
