"""Looks for requests that break a contract where `make test` has not looked: another seed, more examples.

    make contracts-deep                                    all three, 2000 examples for each operation
    make contracts-deep SERVICE=metering EXAMPLES=5000     one of them, further
    make contracts-deep SERVICE=metering SEED=7            the same requests again

Prints the seed, and at the end what each operation was asked and answered. Exits 1 if an answer broke its
contract.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import xml.etree.ElementTree  # nosec B405 # reads what our own pytest wrote
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("registration", "notifications", "metering")
EXAMPLES = 2000


def main() -> int:
    service = os.environ.get("SERVICE") or ""
    if service and service not in SERVICES:
        print(f"There is no service {service}. There are: {', '.join(SERVICES)}.")
        return 2
    examples = os.environ.get("EXAMPLES") or str(EXAMPLES)
    seed = os.environ.get("SEED") or str(secrets.randbelow(2**31))
    print(f"Seed {seed}, {examples} examples for each operation of {service or 'all services'}.", flush=True)
    with TemporaryDirectory(prefix="marketplane-contracts-") as folder:
        seen, results = Path(folder) / "seen.json", Path(folder) / "results.xml"
        tests = ["tests/contract/test_generated.py", "tests/contract/test_links.py"]
        command = [sys.executable, "-m", "pytest", *tests, "--quiet", f"--junitxml={results}"]
        # One test takes long here because it does much; its stack every three minutes would say nothing.
        command += ["-o", "faulthandler_timeout=0"]
        if service:
            command += ["-k", service]
        variables = os.environ | {
            "CONTRACTS_SEED": seed,
            "CONTRACTS_EXAMPLES": examples,
            "CONTRACTS_REPORT": str(seen),
        }
        done = subprocess.run(command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, check=False)
        broken = failures(results)
        if seen.exists():
            print(table(json.loads(seen.read_text())))
    for name in broken:
        print(f"BROKEN  {name}")
    print(f"\n{len(broken)} tests failed. The same requests again: SEED={seed} EXAMPLES={examples}")
    return 1 if broken or done.returncode != 0 else 0


def table(rows: list[tuple[str, str, int, int]]) -> str:
    """What each operation was asked and answered: rows of service, operation, status and how often."""
    answers: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for service, operation, status, times in rows:
        answers[service, operation][status] += times
    lines = [f"\n{'service':<15}{'operation':<28}{'requests':>9}   answers"]
    for (service, operation), counts in sorted(answers.items()):
        by_status = "  ".join(f"{status}: {times}" for status, times in sorted(counts.items()))
        lines.append(f"{service:<15}{operation:<28}{counts.total():>9}   {by_status}")
    return "\n".join(lines) + "\n"


def failures(results: Path) -> list[str]:
    """The names of the tests that failed."""
    if not results.exists():
        return ["the tests did not run"]
    cases = xml.etree.ElementTree.parse(results).getroot().iter("testcase")  # nosec B314 # our own pytest's
    return [
        str(case.get("name"))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]


if __name__ == "__main__":
    sys.exit(main())
