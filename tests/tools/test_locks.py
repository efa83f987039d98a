"""The lock files mean the same on every machine, and hold what they must."""

from pathlib import Path

import pytest

from tools.environments import ROOT, Lock, environments, locks


@pytest.mark.parametrize("lock", locks(), ids=lambda lock: str(lock.output))
def test_a_lock_is_pinned_hashed_and_portable(lock: Lock) -> None:
    text = (ROOT / lock.output).read_text()
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    packages = [line for line in lines if not line.startswith(" ")]
    assert packages
    assert all("==" in line and line.rstrip().endswith("\\") for line in packages)
    assert text.count("--hash=sha256:") >= len(packages)
    for foreign in (
        "http://",
        "https://",
        "file:",
        "--index",
        "--find-links",
        "/home/",
        "/root/",
        "/tmp/",
        str(ROOT),
    ):
        assert foreign not in text


def test_every_environment_installs_from_a_lock() -> None:
    known = {lock.output for lock in locks()}
    for environment in environments().values():
        assert set(environment.requirements) <= known


def test_services_lock_an_sdk_that_knows_agreements() -> None:
    # Older ones drop AgreementId and refuse QuantityAsDecimal.
    for name in ("registration", "notifications", "metering"):
        text = Path(ROOT / "services" / name / "requirements.txt").read_text()
        version = next(line for line in text.splitlines() if line.startswith("botocore=="))
        assert tuple(int(part) for part in version.split("==")[1].split()[0].split(".")) >= (1, 44, 5)
