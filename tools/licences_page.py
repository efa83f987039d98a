"""Writes docs/licences.md: every package that ships, with its version and licence, image by image.

    python -m tools.licences_page            write the page
    python -m tools.licences_page --check    exit 1 if the page is not what would be written

Names and versions are those of the lock files, for the Python and the system of the images; licences are
those of the packages' metadata, as installed in the environments below .venv, and of web/package-lock.json.
Exit code 1, too, where something ships under a licence that a seller of closed software could not ship, or
an unknown one.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.licences import Metadata, licence_of, may_ship

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
NPM_LOCK = ROOT / "web" / "package-lock.json"
# What each image or package installs from, and nothing else: see the Dockerfiles.
SHIPPED = {
    "Registration's image": "services/registration/requirements.txt",
    "Notifications' image": "services/notifications/requirements.txt",
    "Metering's image": "services/metering/requirements.txt",
    "The portal's image: its server": "web/requirements.txt",
    "The Python client, in the seller's product": "clients/python/requirements.txt",
}
PORTAL = "The portal's pages: what is in the bundle"
# The Python of the images, on Linux: locks name packages of other systems, too.
IN_IMAGES = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.14",
    "python_version": "3.11",
    "sys_platform": "linux",
}

HEAD = f"""# Licences of what ships

Each package that an image, the portal's pages or the Python client hold, by the lock files, with the licence
that its own metadata gives. `make licences` writes this page and fails on a licence that a seller of closed
software could not ship (GPL, AGPL, LGPL, SSPL and every other that is not on the list of
`tools/licences.py`), and on an unknown one; `make test` fails while the page is not what the locks say.

Not here: what only a desk uses (simulator, local engine, local OpenID provider, tests, build tools), and
what the images' base `python:{IN_IMAGES["python_version"]}-slim` brings: Python itself (PSF-2.0), and
Debian, whose programs have their licences under `/usr/share/doc` in the image. An image that is given to
others carries Debian's GPL programs with it, with what those ask for; run for oneself, it is given to
nobody.

MPL-2.0 asks that changes to the package's own files be given away; nothing here is changed.
"""


@dataclass(frozen=True, order=True)
class Package:
    name: str
    version: str
    licence: str = "unknown"

    def row(self) -> str:
        return f"| {self.name} | {self.version} | {self.licence} |"


class NotInstalled(Exception):
    """A package of a lock stands in no environment, so that nobody can say under which licence it comes."""


def main(words: list[str]) -> int:
    try:
        found = shipped()
    except NotInstalled as missing:
        print(f"{missing} is installed nowhere below .venv: run `make setup`.")
        return 1
    refused = {
        (title, one) for title, packages in found.items() for one in packages if not may_ship(one.licence)
    }
    for title, one in sorted(refused):
        print(f"{title}: {one.name} {one.version} is under {one.licence}, which is not to be shipped.")
    page = written(found)
    if "--check" in words:
        if not PAGE.exists() or PAGE.read_text() != page:
            print(f"{PAGE.relative_to(ROOT)} is out of date: run `make licences`.")
            return 1
    else:
        PAGE.write_text(page)
        print(f"{PAGE.relative_to(ROOT)} is written.")
    return 1 if refused else 0


def shipped() -> dict[str, list[Package]]:
    """The packages of each thing that ships, by its title.

    Raises:
        NotInstalled: the environments are older than the locks.
    """
    metadata = installed()
    found: dict[str, list[Package]] = {}
    for title, lock in SHIPPED.items():
        found[title] = []
        for name, version in locked(ROOT / lock):
            if (name, version) not in metadata:
                raise NotInstalled(f"{name} {version}")
            found[title].append(Package(name, version, licence_of(metadata[name, version])))
    found[PORTAL] = bundled()
    return found


def written(found: dict[str, list[Package]]) -> str:
    """The page as it should be."""
    sections = [
        "\n".join(
            [
                f"## {title}\n\nBy `{SHIPPED.get(title, 'web/package-lock.json')}`.\n",
                *("| package | version | licence |", "|---|---|---|"),
                *(one.row() for one in sorted(packages)),
            ]
        )
        + "\n"
        for title, packages in found.items()
    ]
    return "\n".join([HEAD, *sections])


def locked(path: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each package of a hashed requirements file that goes into an image."""
    for line in path.read_text().splitlines():
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        requirement = Requirement(line.rstrip("\\ "))
        if requirement.marker is None or requirement.marker.evaluate(dict(IN_IMAGES)):
            (pin,) = requirement.specifier
            yield canonicalize_name(requirement.name), pin.version


def bundled() -> list[Package]:
    """What the portal is built of and buyers' browsers get; tools of the build are not."""
    packages = json.loads(NPM_LOCK.read_text())["packages"]
    return [
        Package(path.rpartition("node_modules/")[2], entry["version"], entry.get("license", "unknown"))
        for path, entry in packages.items()
        if path and not entry.get("dev") and not entry.get("devOptional")
    ]


def installed() -> dict[tuple[str, str], Metadata]:
    """What the packages below .venv say of themselves, by name and version."""
    found: dict[tuple[str, str], Metadata] = {}
    for file in (ROOT / ".venv").glob("*/lib/python3*/site-packages/*.dist-info/METADATA"):
        # Only the head: the description below it may hold anything.
        said = HeaderParser().parsestr(file.read_text(errors="replace").partition("\n\n")[0])
        classifiers = [
            words.rpartition("::")[2]
            for words in said.get_all("Classifier") or []
            if words.startswith("License ::") and words.strip() != "License :: OSI Approved"
        ]
        found[canonicalize_name(said["Name"]), said["Version"]] = Metadata(
            said.get("License-Expression", ""), said.get("License", ""), classifiers
        )
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
