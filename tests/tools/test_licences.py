"""What ships is listed with its licence, as the locks have it, and only what a seller may ship is shipped."""

from __future__ import annotations

import json
import re

import pytest

from tools import licences_page
from tools.licences import Metadata, licence_of, may_ship
from tools.licences_page import PAGE, PORTAL, ROOT, SHIPPED, Package

ROW = re.compile(r"^\| (\S+) \| (\S+) \| (.+) \|$", re.MULTILINE)


def listed(title: str) -> list[tuple[str, str, str]]:
    """The rows of one section of the page."""
    section = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [row for row in ROW.findall(section) if row[0] != "package"]


@pytest.mark.parametrize("title", SHIPPED)
def test_the_page_lists_what_the_lock_pins(title: str) -> None:
    pinned = sorted(licences_page.locked(ROOT / SHIPPED[title]))
    assert pinned
    assert [(name, version) for name, version, _ in listed(title)] == pinned


def test_the_page_lists_what_browsers_get() -> None:
    packages = json.loads(licences_page.NPM_LOCK.read_text())["packages"]
    names = {name for name, _, _ in listed(PORTAL)}
    assert set(packages[""]["dependencies"]) <= names
    assert not set(packages[""]["devDependencies"]) & names
    assert listed(PORTAL) == sorted((one.name, one.version, one.licence) for one in licences_page.bundled())


@pytest.mark.parametrize("title", [*SHIPPED, PORTAL])
def test_what_is_listed_may_be_shipped(title: str) -> None:
    assert [row for row in listed(title) if not may_ship(row[2])] == []


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("services/*/Dockerfile")))
def test_each_services_image_is_on_the_page(folder: str) -> None:
    lock = f"services/{folder}/requirements.txt"
    assert lock in (ROOT / "services" / folder / "Dockerfile").read_text()
    assert lock in SHIPPED.values()


def test_packages_of_other_systems_and_pythons_are_not_in_an_image(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lock = tmp_path_factory.mktemp("lock") / "requirements.txt"
    lock.write_text(
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
        "Deprecated==1.3.1 ; python_full_version < '3.12' \\\n    --hash=sha256:00\n"
        "deprecated==3.0.1 ; python_full_version >= '3.12' \\\n    --hash=sha256:00\n"
        "zope_x==2 \\\n    --hash=sha256:00\n    # via\n"
    )
    assert list(licences_page.locked(lock)) == [("deprecated", "1.3.1"), ("zope-x", "2")]


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("LGPL-2.1-or-later", False),
        ("unknown", False),
        ("", False),
        ("GPL-2.0-only OR MIT", True),
        ("MIT AND GPL-2.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("(MIT OR GPL-3.0-only) AND AGPL-3.0-only", False),
        ("MIT OR GPL-3.0-only AND AGPL-3.0-only", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("MIT Apache-2.0", False),
        ("(MIT", False),
        ("MIT OR", False),
    ],
)
def test_one_side_of_or_suffices_and_and_takes_both(expression: str, *, answer: bool) -> None:
    assert may_ship(expression) is answer


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        (Metadata("Apache-2.0", "MIT", ["MIT License"]), "Apache-2.0"),
        (Metadata("", "Apache License 2.0", []), "Apache-2.0"),
        (Metadata("", "MPL-2.0 AND MIT", []), "MPL-2.0 AND MIT"),
        (
            Metadata("", "Dual License", [" BSD License", " Apache Software License"]),
            "BSD-3-Clause OR Apache-2.0",
        ),
        (Metadata("", "", [" MIT License"]), "MIT"),
        (Metadata("", "see the file", []), "unknown"),
        (Metadata("", "", [" GNU General Public License v3 (GPLv3)"]), "unknown"),
        (Metadata("GPL-3.0-only", "MIT", [" MIT License"]), "GPL-3.0-only"),
    ],
)
def test_the_newest_words_that_are_understood_count(metadata: Metadata, licence: str) -> None:
    assert licence_of(metadata) == licence


def test_a_licence_that_cannot_be_shipped_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {PORTAL: [Package("kind", "1", "MIT"), Package("greedy", "2", "AGPL-3.0-only")]}
    monkeypatch.setattr(licences_page, "shipped", lambda: found)
    assert licences_page.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert "greedy 2 is under AGPL-3.0-only" in said
    assert "kind" not in said
