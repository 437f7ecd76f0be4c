"""The second harmonic across films: a change at a known thickness, none, and titanium content."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rutile_assets.provenance.film import Films, Outcome
from rutile_assets.techniques.shg.figures import trend
from rutile_assets.techniques.shg.trend import shg_trend

THICKNESSES = (1.5, 2.1, 2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2)


def _films(fractions: np.ndarray, std: float, materials: tuple[str, ...] = ("RuO2",) * 12) -> Films:
    names = [f"F-{t:g}" for t in THICKNESSES]
    growth = pd.DataFrame({"growth_id": names, "series": "RuO2/TiO2", "substrate_material": "TiO2"})
    layers = pd.DataFrame(
        {"growth_id": names, "material": materials, "nominal_thickness_nm": np.array(THICKNESSES) * 1.1}
    )
    numbers = pd.DataFrame(
        {
            "growth_id": names[:-1],  # one film without XRR keeps its nominal thickness
            "material": "RuO2",
            "quantity": "thickness_nm",
            "value": THICKNESSES[:-1],
            "result_id": range(11),
        }
    )
    fits = pd.DataFrame(
        {
            "growth_id": names,
            "shg_ss_fraction": fractions,
            "shg_ss_fraction_std": std,
            "shg_ed_fraction": np.full(12, np.nan),
            "shg_ed_fraction_std": np.full(12, np.nan),
        }
    )
    content = np.array([0.0 if m == "RuO2" else float(m[2:5]) for m in materials])
    harmonics = pd.DataFrame(
        {
            "growth_id": names,
            "channel": "pp",
            "harmonic_order": 0,
            "is_counted": True,
            "cosine_counts": 500.0 * 10 ** (-0.8 * content),
            "cosine_counts_std": 5.0,
        }
    )
    tables = {"growth": growth, "growth_layer": layers, "shg_fit": fits, "shg_scan_harmonic": harmonics}
    return Films(None, 1, tables.__getitem__, lambda _: numbers, lambda _: pd.DataFrame())


def _run(films: Films) -> Outcome:
    return shg_trend.compute(films)


def test_a_jump_near_four_nanometres_is_found_with_its_thickness() -> None:
    rng = np.random.default_rng(3)
    true = 0.05 + 0.2 * (np.array(THICKNESSES) > 4.2)
    outcome = _run(_films(true + 0.01 * rng.normal(size=12), 0.01))
    row = outcome.tables["shg_trend"].set_index("observable").loc["ss part"]
    assert row.dependence == "change"
    assert abs(row.shg_onset_nm - 4.2) < 2.0 * row.shg_onset_nm_std
    assert 0.6 / np.sqrt(12) <= row.shg_onset_nm_std < 0.5  # no better than the gap between films allows
    assert [r.series for r in outcome.results] == ["RuO2/TiO2"]
    assert "itself mm2" in outcome.results[0].estimate.notes[0]
    points = outcome.tables["shg_trend_point"].query("observable == 'ss part'").set_index("growth_id")
    assert points.trend_thickness_nm["F-3.5"] == 3.5
    assert points.trend_thickness_nm["F-17.2"] == pytest.approx(17.2 * 1.1)
    assert trend(_films(true, 0.01), outcome) is not None


def test_films_without_a_change_are_not_given_one() -> None:
    rng = np.random.default_rng(4)
    claimed = 0
    for _ in range(60):
        outcome = _run(_films(0.1 + 0.01 * rng.normal(size=12), 0.01))
        claimed += outcome.tables["shg_trend"].set_index("observable").loc["ss part", "dependence"] == "change"
    assert claimed <= 3


def test_titanium_content_is_read_from_the_formula_and_its_slope_told() -> None:
    materials = ("RuO2",) * 6 + ("Ti0.2Ru0.8O2",) * 3 + ("Ti0.5Ru0.5O2",) * 3
    content = _run(_films(np.full(12, 0.1), 0.01, materials)).tables["shg_trend_content"]
    row = content.to_dict("records")[0]
    assert row["log10_amplitude_slope_ratio"] == pytest.approx(-0.8, abs=3 * row["log10_amplitude_slope_ratio_std"])
    assert row["rise_probability"] < 1e-6
    assert row["is_monotonic"]
    assert _run(_films(np.full(12, 0.1), 0.01)).tables["shg_trend_content"].empty
