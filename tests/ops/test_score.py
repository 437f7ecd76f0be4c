"""What `rutile score` makes of pulls: bias, width, coverage, and a verdict that knows chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rutile_assets.errors import InvalidRecord
from rutile_assets.ops.score import compared, known_truth, summarise


def _scored(quantity: str, pulls: np.ndarray) -> list[dict[str, object]]:
    rows = [{"growth_id": f"F{i}", "quantity": quantity, "subject": "", "value": 3.0 + 0.1 * p, "sigma": 0.1}
            for i, p in enumerate(pulls)]  # fmt: skip
    return compared(rows, {(f"F{i}", quantity, ""): 3.0 for i in range(len(pulls))})


def test_pulls_and_residuals_are_those_of_the_known_results_only() -> None:
    rows = [
        {"growth_id": "A", "quantity": "thickness_nm", "subject": "1 RuO2", "value": 3.2, "sigma": 0.1},
        {"growth_id": "A", "quantity": "thickness_nm", "subject": "2 TiO2", "value": 3.2, "sigma": 0.1},
        {"growth_id": "B", "quantity": "thickness_nm", "subject": "1 RuO2", "value": 3.2, "sigma": None},
    ]
    known = {("A", "thickness_nm", "1 RuO2"): 3.0, ("B", "thickness_nm", "1 RuO2"): 3.0}
    scored = compared(rows, known)
    assert [row["growth_id"] for row in scored] == ["A", "B"]
    assert scored[0]["residual"] == pytest.approx(0.2)
    assert scored[0]["pull"] == pytest.approx(2.0)
    assert scored[1]["pull"] is None
    (summary,) = summarise(scored)
    assert (summary.count, summary.without_sigma_count) == (1, 1)


@pytest.mark.parametrize(
    ("shift", "scale", "verdict"),
    [(0.0, 1.0, "ok"), (0.4, 1.0, "fails"), (0.0, 0.5, "fails"), (0.0, 2.0, "fails")],
)
def test_an_honest_sigma_is_ok_and_a_wrong_one_or_a_bias_fails(shift: float, scale: float, verdict: str) -> None:
    pulls = scale * np.random.default_rng(1).normal(size=400) + shift
    (summary,) = summarise(_scored("thickness_nm", pulls))
    assert summary.verdict == verdict
    assert summary.bias == pytest.approx(pulls.mean())
    assert summary.width == pytest.approx(pulls.std(ddof=1))
    assert summary.bias_std == pytest.approx(pulls.std(ddof=1) / 20)
    assert summary.coverage == np.mean(np.abs(pulls) <= 1)
    assert summary.coverage_low < summary.coverage < summary.coverage_high


def test_few_results_leave_it_open_and_none_with_a_sigma_is_said() -> None:
    (few,) = summarise(_scored("thickness_nm", np.array([0.1, 0.2, -0.3])))
    assert few.verdict == "open"
    (none,) = summarise([{"quantity": "thickness_nm", "pull": None}])
    assert none.verdict == "no sigma"
    assert none.without_sigma_count == 1
    assert summarise([]) == []


def test_the_interval_is_the_binomial_one_that_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(300):
        (summary,) = summarise(_scored("thickness_nm", rng.normal(size=60)))
        held.append(summary.coverage_low <= 0.6827 <= summary.coverage_high)
    assert 0.90 < np.mean(held) < 0.99


def test_no_truth_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecord, match=r"truth\.json"):
        known_truth(tmp_path)
    record = {"quantities": [{"growth_id": "A", "quantity": "v_cpd_v", "subject": "", "value": 1}]}
    (tmp_path / "truth.json").write_text(json.dumps(record))
    assert known_truth(tmp_path) == {("A", "v_cpd_v", ""): 1.0}
    record["quantities"].append(
        {
            "growth_id": None,
            "series": "RuO2/TiO2",
            "quantity": "work_function_modulation_ev",
            "subject": "",
            "value": 1.1,
        }
    )
    (tmp_path / "truth.json").write_text(json.dumps(record))
    assert known_truth(tmp_path)["RuO2/TiO2", "work_function_modulation_ev", ""] == 1.1
