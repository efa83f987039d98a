"""The virtual environments of the house: what each is made from, and where it lives.

Standard library only: `tools/setup` runs this before anything is installed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
SERVICES = ("registration", "notifications", "metering")
CHASSIS = Path("libs/chassis")
CLIENT = Path("clients/python")


@dataclass(frozen=True)
class Lock:
    """One hashed requirements file and what it is compiled from.

    `sources` are `.in` files or `pyproject.toml` files; `group` names a dependency group of `pyproject`;
    `within` is another lock whose versions this one must not contradict, since both go into one environment.
    """

    output: Path
    sources: tuple[Path, ...] = ()
    pyproject: Path | None = None
    group: str = ""
    within: Path | None = None


@dataclass(frozen=True)
class Environment:
    """One folder below .venv: hashed requirements first, then our own packages, editable and without
    dependencies."""

    name: str
    purpose: str
    requirements: tuple[Path, ...]
    packages: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


def environments() -> dict[str, Environment]:
    """Every environment by name. One per deployable, so that an undeclared import fails."""
    found = [
        Environment(
            name,
            f"the {name} service and its unit tests",
            (Path(f"services/{name}/requirements.txt"), Path(f"services/{name}/requirements-test.txt")),
            (CHASSIS, Path(f"services/{name}")),
        )
        for name in SERVICES
    ]
    found += [
        Environment(
            "chassis",
            "the chassis alone and its unit tests",
            (CHASSIS / "requirements.txt", CHASSIS / "requirements-test.txt"),
            (CHASSIS,),
        ),
        Environment(
            "simulator",
            "the simulated AWS Marketplace and its unit tests",
            (Path("simulator/requirements.txt"), Path("simulator/requirements-test.txt")),
            (Path("simulator"),),
        ),
        Environment(
            "client",
            "the Python client and its unit tests",
            (CLIENT / "requirements.txt", CLIENT / "requirements-test.txt"),
            (CLIENT,),
        ),
        Environment(
            "engine", "the local stand-in for DynamoDB, SQS and SNS", (Path("engine/requirements.txt"),)
        ),
        Environment("identity", "the local OpenID provider", (Path("identity/requirements.txt"),)),
        Environment(
            "web",
            "the portal's server, and the Node.js that builds the portal",
            (Path("web/requirements.txt"), Path("web/requirements-build.txt")),
        ),
        Environment(
            "dev", "the tests across services, the checks and the tools", (Path("tests/requirements.txt"),)
        ),
    ]
    return {environment.name: environment for environment in found}


def locks() -> list[Lock]:
    """Every lock file, in the order in which they must be compiled."""
    found = [
        Lock(Path("tools/uv-requirements.txt"), (Path("tools/uv-requirements.in"),)),
        Lock(Path("tools/build-requirements.txt"), (Path("tools/build-requirements.in"),)),
        Lock(Path("engine/requirements.txt"), (Path("engine/requirements.in"),)),
        Lock(
            Path("engine/dynamodb-local/requirements.txt"), (Path("engine/dynamodb-local/requirements.in"),)
        ),
        Lock(Path("identity/requirements.txt"), (Path("identity/requirements.in"),)),
        Lock(Path("web/requirements.txt"), (Path("web/requirements.in"),)),
        Lock(Path("web/requirements-build.txt"), (Path("web/requirements-build.in"),)),
        Lock(Path("tests/requirements.txt"), (Path("tests/requirements.in"),)),
        Lock(Path("tests/sdks/requirements.txt"), (Path("tests/sdks/requirements.in"),)),
    ]
    for project in (CHASSIS, *(Path("services") / name for name in SERVICES), Path("simulator"), CLIENT):
        pyproject = project / "pyproject.toml"
        main = project / "requirements.txt"
        found.append(Lock(main, (pyproject,)))
        if _has_test_group(pyproject):
            test = project / "requirements-test.txt"
            found.append(Lock(test, pyproject=pyproject, group="test", within=main))
    return found


def _has_test_group(pyproject: Path) -> bool:
    path = ROOT / pyproject
    return path.exists() and "test" in tomllib.loads(path.read_text()).get("dependency-groups", {})
