"""What is written for people is true: links lead somewhere, commands exist, and no file knows the machine
that it was made on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICES, repository_files

PAGES = [path for path in repository_files() if path.suffix == ".md"]
MAKEFILE = (ROOT / "Makefile").read_text()
COMMANDS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))

# Paths of somebody's machine, and hosts that packages come from: neither belongs into a file that others get.
PERSONAL = re.compile(
    r"(?<![\w.])/(?:work|home/\w+|Users/\w+|root|tmp)/\w"
    r"|--(?:extra-)?index-url\b|https?://[^\s/\"']+/(?:simple|packages)/\w|\"resolved\": \"http"
)
LOOKS_FOR_THEM_TOO = {"tests/architecture/test_documents.py", "tests/tools/test_locks.py", "tools/lock"}
BINARY = {".png", ".jpg", ".ico", ".gz", ".woff2"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
    broken = [
        target for target in targets if "://" not in target and not target.startswith("mailto:")
        and not (path.parent / target).exists()
    ]  # fmt: skip
    assert broken == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_commands_that_are_named_exist(path: Path) -> None:
    text = path.read_text()
    inline = re.findall(r"`([^`\n]+)`", text)
    blocks = re.findall(r"^(?: {4}|\$ )(make .*)$", text, re.MULTILINE) + re.findall(
        r"```.*?```", text, re.DOTALL
    )
    named = set(re.findall(r"(?:^|\n|[;&`] *)make ([a-z][a-z-]*)", "\n".join([*inline, *blocks])))
    assert named - COMMANDS == set()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_tools_and_files_that_are_named_exist(path: Path) -> None:
    paths = re.findall(
        r"`((?:tools|openapi|services|libs|clients|simulator|engine|tests|docs|bench)/[\w./-]+)`",
        path.read_text(),
    )
    assert [one for one in paths if not (ROOT / one).exists() and not (path.parent / one).exists()] == []


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_tells_the_life_of_one_message(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text()
    assert re.search(r"^1\. ", text, re.MULTILINE), "the life of one message, in numbered steps"


def test_each_decision_is_on_the_list_of_decisions() -> None:
    folder = ROOT / "docs/decisions"
    listed = (folder / "README.md").read_text()
    pages = [path.name for path in folder.glob("*.md") if path.name != "README.md"]
    assert pages
    assert [page for page in pages if f"]({page})" not in listed] == []


def test_no_file_names_a_path_of_a_machine_or_an_index_host() -> None:
    found = []
    for path in repository_files():
        if path.suffix in BINARY or name(path) in LOOKS_FOR_THEM_TOO:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if PERSONAL.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()[:120]}")
    assert found == []


def test_that_check_can_fail() -> None:
    for text in (
        "see /home/ada/notes",
        "/Users/ada/x",
        "--index-url https://example",
        "https://index.example/simple/x",
        '"resolved": "https://registry.example/x.tgz"',
    ):
        assert PERSONAL.search(text)
    for text in ("https://example.com/home/ada", "the folder openapi/tmp/x", "/dev/null"):
        assert not PERSONAL.search(text)
