"""A secret that somebody leaves in a file is found, is not printed, and is not excused by the list."""

from __future__ import annotations

import secrets
import string
from pathlib import Path

import pytest

from tools import secret_scan


def aws_access_key_id() -> str:
    """As AWS forms them, of no account."""
    return "AKIA" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(16))


def private_key() -> str:
    """As a file of one begins."""
    return f"-----BEGIN {'PRIVATE KEY'}-----\n{secrets.token_urlsafe(48)}\n"


PLANTED = {
    "an AWS access key": lambda: f'key = "{aws_access_key_id()}"\n',
    "a private key": private_key,
    "a password in an address": lambda: f"url: https://ada:{secrets.token_hex(8)}@db.seller.example/\n",
    "a password by its name": lambda: f'password = "{secrets.token_urlsafe(12)}"\n',
    "random text": lambda: f'made = "{secrets.token_urlsafe(48)}"\n',
}


@pytest.mark.parametrize("form", PLANTED)
def test_a_planted_secret_is_found_where_it_stands(tmp_path: Path, form: str) -> None:
    file = tmp_path / "settings.py"
    file.write_text("# a comment\n" + PLANTED[form]())
    found = secret_scan.looked_for([file])
    assert min(one.line for one in found) == 2
    assert not {one.value for one in found} & secret_scan.known().keys()


def test_a_planted_key_fails_the_check_and_is_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = aws_access_key_id()
    file = tmp_path / "notes.md"
    file.write_text(f"the key is {key}\n")
    monkeypatch.setattr(secret_scan, "repository_files", lambda: [file])
    assert secret_scan.main() == 1
    said = capsys.readouterr().out
    assert f"{file}:1: AWS Access Key" in said
    assert key not in said


def test_what_is_on_the_list_passes_and_what_stands_nowhere_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = aws_access_key_id()
    file = tmp_path / "notes.md"
    file.write_text(f"the key is {key}\n")
    monkeypatch.setattr(secret_scan, "repository_files", lambda: [file])
    monkeypatch.setattr(secret_scan, "known", lambda: {key: "Made up here."})
    assert secret_scan.main() == 0
    file.write_text("no key\n")
    assert secret_scan.main() == 1
    assert "stands nowhere any more" in capsys.readouterr().out


def test_an_entry_gives_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list.yaml").write_text("- values: [one]\n")
    monkeypatch.setattr(secret_scan, "MADE_UP", tmp_path / "list.yaml")
    with pytest.raises(ValueError, match="no reason"):
        secret_scan.known()


def test_ordinary_lines_are_no_secrets(tmp_path: Path) -> None:
    file = tmp_path / "plain.py"
    file.write_text(
        "token = os.environ['TOKEN']\n"
        "password = settings.password\n"
        'queue = "arn:aws:sqs:us-east-1:111122223333:news"\n'
        'customer = "5f0c2c1e-6f6b-4c4e-9a53-1d5c7f0f9a10"\n'
    )
    assert secret_scan.looked_for([file]) == []


def test_the_files_looked_at_are_the_repositorys_without_locks() -> None:
    names = {secret_scan.named(file) for file in secret_scan.repository_files()}
    assert {"tools/stack.py", "openapi/metering.yaml", "docker-compose.yml"} <= names
    assert not {"tests/requirements.txt", "web/package-lock.json", str(secret_scan.MADE_UP)} & names
