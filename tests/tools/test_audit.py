"""What advisory services answer is read as it is meant; where they are silent, nothing is called sound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import audit
from tools.audit import UNASKED, WEAK, Answer, answer_of_npm, answer_of_pip_audit, verdict
from tools.environments import locks

REQUESTS = {
    "name": "requests",
    "version": "2.20.0",
    "vulns": [{"id": "PYSEC-2023-74", "fix_versions": ["2.31.0"], "aliases": [], "description": ""}],
}
SIX = {"name": "six", "version": "1.17.0", "vulns": []}
UNKNOWN = {"name": "requests", "skip_reason": "Dependency not found on PyPI and could not be audited"}
NPM_REPORT = {
    "auditReportVersion": 2,
    "vulnerabilities": {"minimist": {"name": "minimist", "severity": "critical", "range": "<0.2.4"}},
    "metadata": {"dependencies": {"total": 398}},
}


def test_pip_audits_weaknesses_are_named_with_what_mends_them() -> None:
    answer = answer_of_pip_audit("a.txt", json.dumps({"dependencies": [REQUESTS, SIX], "fixes": []}), "")
    assert answer.asked == 2
    assert answer.weaknesses == ["requests 2.20.0: PYSEC-2023-74, mended in 2.31.0"]
    assert not answer.silent


def test_packages_that_the_service_does_not_know_are_not_sound() -> None:
    # pip-audit says "No known vulnerabilities found" of this and exits 0.
    answer = answer_of_pip_audit("a.txt", json.dumps({"dependencies": [UNKNOWN, SIX], "fixes": []}), "")
    assert answer.silent == "1 of 2 packages are unknown to the service"
    assert verdict([answer]) == UNASKED


def test_no_answer_is_told_by_its_reason() -> None:
    answer = answer_of_pip_audit("a.txt", "", "Traceback ...\nConnectionError: Name or service not known\n\n")
    assert answer.silent == "ConnectionError: Name or service not known"
    refused = answer_of_npm("web/package-lock.json", '{"message": "405 Method Not Allowed", "error": {}}', "")
    assert refused.silent == "405 Method Not Allowed"
    assert answer_of_npm("web/package-lock.json", "", "").silent == "no answer"


def test_npms_report_is_read() -> None:
    answer = answer_of_npm("web/package-lock.json", json.dumps(NPM_REPORT), "")
    assert answer == Answer("web/package-lock.json", 398, ["minimist <0.2.4: critical"])


def test_weaknesses_weigh_more_than_silence_and_silence_more_than_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sound, silent, weak = Answer("a", 1), Answer("b", silent="no answer"), Answer("c", 1, ["d 1: e"])
    assert verdict([sound]) == 0
    assert capsys.readouterr().out == "No known weaknesses.\n"
    assert verdict([sound, silent]) == UNASKED
    assert capsys.readouterr().out.startswith("NOT AUDITED: 1 of 2 lock files.")
    assert verdict([sound, silent, weak]) == WEAK
    said = capsys.readouterr().out
    assert "NOT AUDITED" in said
    assert "1 known weaknesses" in said


def test_every_lock_is_asked_for() -> None:
    asked = {lock for _, lock in audit.questions()}
    assert asked == {lock.output for lock in locks()} | {Path("web/package-lock.json")}
