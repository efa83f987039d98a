"""What each service says that it needs, asked once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.infrastructure.templates import ROOT

SCRIPT = ROOT / "tests/infrastructure/inside_service.py"


def inside(
    service: str, *words: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `inside_service.py` by the service's own Python."""
    return subprocess.run(
        [str(ROOT / ".venv" / service / "bin/python"), str(SCRIPT), service, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def _needs(service: str) -> dict[str, Any]:
    done = inside(service)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="session")
def needs() -> Callable[[str], dict[str, Any]]:
    """Tables, times to live, queues, settings and secrets of a service."""
    return _needs
