"""Where the house of `make up` stands on this machine: its ports and its folder, by FIRST_PORT, STATE and
PORT_<PROCESS>.

Standard library only.
"""

from __future__ import annotations

import os

from tools.stack import ROOT, Stack, procfile

FIRST_PORT = 8100
STATE = ".state/up"


def local_house() -> Stack:
    """The house, not started."""
    first_port = int(os.environ.get("FIRST_PORT") or FIRST_PORT)
    ports = {
        name: int(os.environ.get(f"PORT_{name.upper().replace('-', '_')}") or first_port + index)
        for index, name in enumerate(procfile())
    }
    return Stack(ROOT / (os.environ.get("STATE") or STATE), ports=ports)
