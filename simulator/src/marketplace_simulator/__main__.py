"""`marketplace-simulator`: serves the simulator until it is stopped."""

from __future__ import annotations

import logging
import os
import sys

import uvicorn

from marketplace_simulator.app import build_app
from marketplace_simulator.settings import BadSetting, load


def main() -> None:
    """Serve; a bad setting stops the start with a sentence and exit status 2."""
    try:
        settings = load(os.environ)
        logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
        # Every request signed by boto3 would be a line at INFO.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        app = build_app(settings)
    except (BadSetting, RuntimeError) as error:
        sys.exit(_stopped(str(error)))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
    )


def _stopped(reason: str) -> int:
    print(f"marketplace-simulator: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
