"""Writes docs/settings.md from the settings classes, so that the page cannot say anything else than they do.

    python tools/settings_page.py            write the page
    python tools/settings_page.py --check    exit 1 if the page is not what would be written

Each service is asked in its own virtual environment. (`make test` fails while the page is out of date.)
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "settings.md"
SERVICES = ("registration", "notifications", "metering")

HEAD = """# Settings

Every setting is an environment variable, read once when a process starts. A mistake stops the start with a
sentence that names the variable. This page is made from the settings classes by `tools/settings_page.py`;
change it there.

AWS's own variables hold as everywhere: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, roles, and
`AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_SNS`,
`AWS_ENDPOINT_URL_MARKETPLACE_METERING`, `AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE`, which point a
process at a local engine or at the simulator. `PROMETHEUS_MULTIPROC_DIR` is the folder in which several
server processes of one role add up their metrics; one is made when it is unset. Where traces are on
(`OTEL_EXPORTER_OTLP_ENDPOINT`), OpenTelemetry's further variables hold:
[which](../observability/README.md#traces).
"""


@dataclass(frozen=True)
class Setting:
    variable: str
    default: str
    meaning: str

    def row(self) -> str:
        return f"| `{self.variable}` | {self.default} | {self.meaning} |"


def main(words: list[str]) -> int:
    if words[:1] == ["--of"]:
        print(json.dumps(fields_here(words[1])))
        return 0
    page = written()
    if "--check" in words:
        if not PAGE.exists() or PAGE.read_text() != page:
            print("docs/settings.md is out of date: run `python tools/settings_page.py`.")
            return 1
        return 0
    PAGE.write_text(page)
    print(f"{PAGE.relative_to(ROOT)} is written.")
    return 0


def written() -> str:
    """The page as it should be."""
    of_all = settings_of("chassis", SERVICES[0])
    sections = [HEAD, section("Every process", "", of_all)]
    common = {setting.variable for setting in of_all}
    for service in SERVICES:
        own = [setting for setting in settings_of(service, service) if setting.variable not in common]
        sections.append(
            section(service.capitalize(), f"Source: `services/{service}/src/{service}/settings.py`.", own)
        )
    simulator = settings_of("marketplace_simulator", "simulator")
    sections.append(
        section("Simulator", "For a desk and for tests; it has nothing to do with the services.", simulator)
    )
    return "\n".join(sections)


def section(title: str, words: str, settings: list[Setting]) -> str:
    lines = [f"## {title}", ""]
    if words:
        lines += [words, ""]
    lines += ["| variable | default | meaning |", "|---|---|---|", *(setting.row() for setting in settings)]
    return "\n".join(lines) + "\n"


def settings_of(package: str, environment: str) -> list[Setting]:
    """The settings of one package, asked in the environment where it is installed."""
    python = ROOT / ".venv" / environment / "bin" / "python"
    if not python.exists():
        sys.exit(f".venv/{environment} is missing: run `make setup`.")
    done = subprocess.run(
        [str(python), str(Path(__file__)), "--of", package],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"The settings of {package} cannot be read.\n{done.stderr}")
    return [Setting(*fields) for fields in json.loads(done.stdout)]


def fields_here(package: str) -> list[tuple[str, str, str]]:
    """Variable, default and meaning of each setting of a package that is installed here."""
    import importlib

    module: Any = importlib.import_module(f"{package}.settings")
    if package == "marketplace_simulator":
        usual = module.Settings()
        return [
            (variable, shown(getattr(usual, name)), meaning)
            for name, (variable, meaning) in module.DESCRIPTIONS.items()
        ]
    fields = (module.ChassisSettings if package == "chassis" else module.Settings).model_fields
    return [(name.upper(), shown(field.default), field.description or "") for name, field in fields.items()]


def shown(default: Any) -> str:
    """A default as a reader would set it."""
    if hasattr(default, "get_secret_value"):
        return "a known one, for local use"
    if default is None or default == "":
        return "none"
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
