"""Every setting is explained, and the page that explains them says what the classes say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICES, calls, dotted, modules, parsed, source

SETTINGS = {service: source(service) / "settings.py" for service in SERVICES}
SETTINGS["chassis"] = ROOT / "libs/chassis/src/chassis/settings.py"
PAGE = ROOT / "docs/settings.md"


def fields(path: Path) -> dict[str, ast.Call | None]:
    """The settings of the module's class: the call of Field of each, by name."""
    found: dict[str, ast.Call | None] = {}
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and not dotted(line.target).startswith("_"):
                    found[dotted(line.target)] = line.value if isinstance(line.value, ast.Call) else None
    assert found, path
    return found


@pytest.mark.parametrize("package", SETTINGS)
def test_each_setting_has_its_sentence(package: str) -> None:
    for name, call in fields(SETTINGS[package]).items():
        described = {keyword.arg for keyword in call.keywords} if call else set()
        assert "description" in described, f"{name.upper()} has no description"


@pytest.mark.parametrize("package", SETTINGS)
def test_the_page_names_each_setting(package: str) -> None:
    page = PAGE.read_text()
    assert [name for name in fields(SETTINGS[package]) if f"| `{name.upper()}` |" not in page] == []


def test_the_page_is_what_the_classes_say() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.settings_page", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_reads_the_environment_behind_the_settings_back(service: str) -> None:
    reads = {"os.environ", "os.getenv", "environ", "getenv", "os.environ.get"}
    found = [
        f"{path.relative_to(ROOT)} line {node.lineno}"
        for path in modules(service)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute | ast.Name) and dotted(node) in reads
    ]
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_only_app_makes_settings(service: str) -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in modules(service)
        if path.name not in ("app.py", "asgi.py", "__main__.py", "settings.py")
        for call in calls(parsed(path))
        if isinstance(call.func, ast.Name) and call.func.id in ("Settings", "load")
    ]
    assert found == []
