"""Looks for secrets in all files that git keeps or would keep. What is made up is on a list, with its reason.

    python -m tools.secret_scan

The detectors are those of detect-secrets: forms that are known (keys of AWS, private keys, tokens of many
services, passwords in addresses), names that say that a value is secret, and texts as random as keys are.
`tools/made_up_secrets.yaml` holds the secrets that are none. No value is printed: what is found may be one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parent.parent
MADE_UP = Path("tools/made_up_secrets.yaml")
# Not all that there are: each takes two seconds over all files, and some take an AWS account's number or the
# digest of a file for a key. What the others know by its form is mostly random enough for the last of these.
DETECTORS = (
    "AWSKeyDetector",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "KeywordDetector",
    "NpmDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SlackDetector",
    "StripeDetector",
)
# Detectors' and filters' settings as detect-secrets takes them.
SETTINGS = {
    "plugins_used": [
        *({"name": name} for name in DETECTORS),
        {"name": "Base64HighEntropyString", "limit": 4.5},
    ],
    "filters_used": [
        {"path": f"detect_secrets.filters.heuristic.{name}"}
        for name in (
            "is_indirect_reference",
            "is_likely_id_string",
            "is_not_alphanumeric_string",
            "is_potential_uuid",
            "is_prefixed_with_dollar_sign",
            "is_sequential_string",
            "is_templated_secret",
        )
    ],
}
# Lock files hold nothing but names, versions and digests, which are as random as keys; nobody writes them.
LOCKED = ("package-lock.json", "requirements.txt", "requirements-test.txt", "requirements-build.txt")


@dataclass(frozen=True, order=True)
class Found:
    """Where something that looks like a secret stands, what it looks like, and itself."""

    file: str
    line: int
    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}"


def main() -> int:
    made_up = known()
    found = looked_for(repository_files())
    unknown = sorted(one for one in found if one.value not in made_up)
    gone = sorted(made_up.keys() - {one.value for one in found})
    for one in unknown:
        print(one)
    if unknown:
        print(
            f"{len(unknown)} look like secrets. A real one is withdrawn where it came from, then taken out "
            f"of the file and of git's history; a made-up one is written into {MADE_UP} with the reason."
        )
    for value in gone:
        print(f"{MADE_UP} lists what stands nowhere any more: {made_up[value]}")
    return 1 if unknown or gone else 0


def known() -> Mapping[str, str]:
    """Each value that is no secret, and why.

    Raises:
        ValueError: an entry gives no reason.
    """
    values: dict[str, str] = {}
    for entry in yaml.safe_load((ROOT / MADE_UP).read_text()):
        if not entry.get("why"):
            raise ValueError(f"{MADE_UP}: an entry gives no reason: {sorted(entry)}")
        values |= {str(value): entry["why"] for value in entry["values"]}
    return values


def looked_for(files: Iterable[Path]) -> list[Found]:
    """What looks like a secret in these files, which are below the repository or anywhere else."""
    with transient_settings(SETTINGS):
        return [
            Found(named(file), secret.line_number, secret.type, secret.secret_value or "")
            for file in files
            for secret in scan_file(str(file))
        ]


def repository_files() -> list[Path]:
    """What git keeps or would keep, without lock files and the list itself."""
    listed = subprocess.run(  # nosec B607 # whatever git this machine has
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [name for name in listed.split("\0") if name and not name.endswith(LOCKED)]
    return [ROOT / name for name in names if name != str(MADE_UP) and (ROOT / name).is_file()]


def named(file: Path) -> str:
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)


if __name__ == "__main__":
    sys.exit(main())
