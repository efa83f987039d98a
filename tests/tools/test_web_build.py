"""What the portal is built from: pinned, from nowhere in particular, and built anew when it changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools import web_build
from tools.stack import ROOT

PACKAGE = json.loads((ROOT / "web/package.json").read_text())
LOCK = json.loads((ROOT / "web/package-lock.json").read_text())


@pytest.mark.parametrize("group", ["dependencies", "devDependencies"])
def test_each_package_is_pinned_to_one_version(group: str) -> None:
    assert PACKAGE[group]
    assert [
        name for name, version in PACKAGE[group].items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)
    ] == []
    assert LOCK["packages"][""][group] == PACKAGE[group]


def test_the_lock_holds_hashes_and_names_no_place() -> None:
    packages = {name: one for name, one in LOCK["packages"].items() if name}
    assert [
        name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-")
    ] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []


def test_the_node_of_the_environment_runs() -> None:
    assert (web_build.BIN / "node").exists()
    assert "npm-cli.js" in (web_build.BIN / "npm").read_text()


def test_pages_are_made_from_sources_and_contracts_and_not_from_what_is_made() -> None:
    names = {str(path.relative_to(ROOT)) for path in (*web_build.sources(), *web_build.contracts())}
    assert {"web/src/main.tsx", "web/package-lock.json", "web/index.html", "web/scripts/budget.mjs"} <= names
    assert {"openapi/metering.yaml", "openapi/common/problem.yaml"} <= names
    assert [name for name in names if re.search(r"dist/|node_modules|generated|\.py$|Dockerfile", name)] == []


def test_a_stamp_changes_with_a_name_and_with_a_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_build, "ROOT", tmp_path)
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("a")
    before = web_build.stamp_of([one])
    assert web_build.stamp_of([one]) == before
    assert web_build.stamp_of([other]) != before
    one.write_text("b")
    assert web_build.stamp_of([one]) != before
