"""docs/metrics.md says what the processes register."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import metrics_page


def test_the_page_is_what_the_processes_register() -> None:
    assert metrics_page.main(["--check"]) == 0


def test_a_page_that_says_else_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "metrics.md"
    other.write_text(metrics_page.PAGE.read_text().replace("| counter |", "| gauge |"))
    monkeypatch.setattr(metrics_page, "PAGE", other)
    assert metrics_page.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().out


def test_a_metric_of_which_nobody_said_who_moves_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    moved_by = {name: who for name, who in metrics_page.MOVED_BY.items() if "imbalances" not in name}
    monkeypatch.setattr(metrics_page, "MOVED_BY", moved_by)
    with pytest.raises(SystemExit, match="marketplane_metering_imbalances"):
        metrics_page.written()


@pytest.mark.parametrize("metrics", metrics_page.every_metric().values(), ids=metrics_page.every_metric())
def test_names_are_as_prometheus_asks(metrics: list[metrics_page.Shown]) -> None:
    for one in metrics:
        assert one.name.endswith("_total") == (one.kind == "counter"), one.name
        assert one.meaning.endswith("."), one.name
