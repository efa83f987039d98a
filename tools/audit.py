"""Asks the advisory services for known weaknesses of everything that is locked.

    python -m tools.audit

pip-audit asks PyPI's for each hashed requirements file, `npm audit` asks npm's for the portal's packages.
Both need the network, so this is no part of `make test`. Exit code 1: there are weaknesses; 2: something
could not be asked for, and nothing is known of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.environments import FOLDER, ROOT, locks

PIP_AUDIT = FOLDER / "dev" / "bin" / "pip-audit"
NPM = FOLDER / "web" / "bin" / "npm"
WEAK, UNASKED = 1, 2


@dataclass(frozen=True)
class Answer:
    """What an advisory service said of one lock file.

    `asked` is how many packages it knew; `weaknesses` has a line for each; `silent` a reason why something
    could not be asked for.
    """

    lock: str
    asked: int = 0
    weaknesses: Sequence[str] = ()
    silent: str = ""

    def lines(self) -> list[str]:
        if self.silent:
            first = f"  UNKNOWN  {self.lock}: {self.silent}"
        elif self.weaknesses:
            first = f"  WEAK     {self.lock}: {len(self.weaknesses)} in {self.asked} packages"
        else:
            first = f"  ok       {self.lock}: none known in {self.asked} packages"
        return [first, *(f"           {one}" for one in self.weaknesses)]


def main() -> int:
    answers = []
    for ask, lock in questions():
        answers.append(ask(lock))
        print("\n".join(answers[-1].lines()), flush=True)
    return verdict(answers)


def questions() -> list[tuple[Any, Path]]:
    """How to ask, and for which lock file."""
    return [
        *((python_packages, lock.output) for lock in locks()),
        (npm_packages, Path("web/package-lock.json")),
    ]


def verdict(answers: Sequence[Answer]) -> int:
    """Says in one line what the answers come to. Silence is never taken for a good answer."""
    silent = [answer.lock for answer in answers if answer.silent]
    weak = sum(len(answer.weaknesses) for answer in answers)
    if silent:
        print(
            f"NOT AUDITED: {len(silent)} of {len(answers)} lock files. The advisory services could not be "
            "reached from here, or do not know what was asked; this run says nothing about those files."
        )
    if weak:
        print(
            f"{weak} known weaknesses. Raise the version (`make lock`), or write why it does not concern us."
        )
    if not silent and not weak:
        print("No known weaknesses.")
    return WEAK if weak else UNASKED if silent else 0


def python_packages(lock: Path) -> Answer:
    """What PyPI's advisory service knows of a hashed requirements file."""
    command = [str(PIP_AUDIT), "--requirement", str(lock), "--no-deps", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    return answer_of_pip_audit(str(lock), done.stdout, done.stderr)


def answer_of_pip_audit(lock: str, said: str, complaint: str) -> Answer:
    """Reads pip-audit's JSON.

    A package that the service does not know makes the file unaudited: pip-audit itself passes over it, and
    ends well where it has learnt nothing at all.
    """
    try:
        packages = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        return Answer(lock, silent=last_line(complaint))
    skipped = [one for one in packages if "skip_reason" in one]
    weaknesses = [
        f"{one['name']} {one['version']}: {weakness['id']}, "
        f"mended in {' or '.join(weakness['fix_versions']) or 'none'}"
        for one in packages
        for weakness in one.get("vulns", ())
    ]
    silent = f"{len(skipped)} of {len(packages)} packages are unknown to the service" if skipped else ""
    return Answer(lock, len(packages) - len(skipped), weaknesses, silent)


def npm_packages(lock: Path) -> Answer:
    """What npm's advisory service knows of the portal's packages, tools of the build included."""
    if not NPM.exists():
        return Answer(str(lock), silent="npm is not there: run `make setup`")
    command = [str(NPM), "audit", "--json", "--package-lock-only"]
    done = subprocess.run(command, cwd=ROOT / lock.parent, capture_output=True, text=True, check=False)
    return answer_of_npm(str(lock), done.stdout, done.stderr)


def answer_of_npm(lock: str, said: str, complaint: str) -> Answer:
    """Reads `npm audit --json`; what is no report of vulnerabilities is the reason why there is none."""
    try:
        report = json.loads(said)
    except ValueError:
        return Answer(lock, silent=last_line(complaint))
    if "vulnerabilities" not in report or "metadata" not in report:
        return Answer(lock, silent=str(report.get("message") or last_line(complaint)))
    weaknesses = [
        f"{name} {one['range']}: {one['severity']}" for name, one in sorted(report["vulnerabilities"].items())
    ]
    return Answer(lock, report["metadata"]["dependencies"]["total"], weaknesses)


def last_line(text: str) -> str:
    """The last line that says something; tools put what went wrong at the end."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no answer")


if __name__ == "__main__":
    sys.exit(main())
