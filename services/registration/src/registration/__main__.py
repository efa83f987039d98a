"""`python -m registration web | worker | doctor | create-local | add-key | list-keys | disable-key`."""

from chassis.commands import main
from registration.app import checks, create_local, key_ring, work
from registration.settings import Settings

if __name__ == "__main__":
    main(
        service="registration",
        settings=Settings,
        web="registration.asgi:app",
        keys=key_ring,
        create_local=create_local,
        worker=work,
        checks=checks,
    )
