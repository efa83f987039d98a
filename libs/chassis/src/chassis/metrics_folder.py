"""The folder in which the server processes of one start add up what they count. Also gunicorn's configuration
module, for the hook at the end."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "marketplane-metrics-"


def make() -> str:
    """Make a folder and keep it locked for as long as this process, or one that it becomes or forks, lives.

    Folders of starts that were killed are removed: nobody locks them any more.
    """
    parent = Path(tempfile.gettempdir())
    for old in parent.glob(PREFIX + "*"):
        # Not ours, or another start is just removing it.
        with contextlib.suppress(OSError), _locked(old):
            shutil.rmtree(old)
    # Under another name until it is locked: else a start at the same moment would take it for a dead one's.
    made = Path(tempfile.mkdtemp(prefix="new-" + PREFIX))
    os.set_inheritable(_lock(made), True)
    return str(made.rename(parent / made.name.removeprefix("new-")))


def on_exit(_server: Any) -> None:
    """What gunicorn's master calls when all its workers have ended."""
    shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Any:
    held = _lock(folder)
    try:
        yield
    finally:
        os.close(held)


def _lock(folder: Path) -> int:
    """Raises OSError where it is no folder, somebody else's, or locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
