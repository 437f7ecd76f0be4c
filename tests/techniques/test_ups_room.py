"""Dropped spectra become rows, results and a view: a film, a bare substrate with gold beside it, a lone Fermi edge."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from growths import drop_growth

from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import all_assets
from rutile_assets.simulation.files import ups_files
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import UNCAPPED, FilmTruth, film_truth, substrate_truth

ASSETS = {asset.name: asset for asset in all_assets()}
BARE = "growth_id: SIM-SUB\norigin: simulated\nsubstrate: {material: TiO2, orientation: '110'}\n"


def _drop(folder: Path, truth: FilmTruth, seed: int) -> None:
    for file in ups_files(truth, datetime(2025, 3, 9, 10), Realism(), np.random.default_rng(seed)):
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).write_bytes(file.content)


def test_spectra_from_the_inbox_to_the_view(house: House, realdata: Path) -> None:
    rng = np.random.default_rng(1)
    truths = (
        film_truth("SIM-REF", UNCAPPED, 5.2, Realism(), rng),
        substrate_truth("SIM-SUB", Realism(), rng),
    )
    for truth in truths:
        folder = drop_growth(house.home.inbox, truth.growth_id, 5.2)
        _drop(folder, truth, seed=5)
    (house.home.inbox / "SIM-SUB" / "growth.yaml").write_text(BARE)
    gold = "LG4X_170109_1712_Ef.csv"
    (house.home.inbox / "SIM-REF" / "ups" / gold).write_bytes((realdata / "xps_ups" / gold).read_bytes())
    verdicts = house.ingest([house.home.inbox], RunContext("cli"))
    assert {v.status for v in verdicts} == {"accepted"}, verdicts
    for name in ("growth", "ups_spectrum", "ups_fit"):
        for truth in truths:
            materialize(house.lake, house.home, ASSETS[name], truth.growth_id, RunContext("cli"))
    shown = house.lake.rows("SELECT * FROM ups ORDER BY growth_id")
    assert [row["growth_id"] for row in shown] == ["SIM-REF", "SIM-SUB"]
    assert [row["fermi_region"] for row in shown] == ["UPS He I SIM-REF", "UPS He I Au foil"]
    for row, truth in zip(shown, truths, strict=True):
        assert abs(row["work_function_ev"] - truth.work_function_ev) < 3.0 * row["work_function_ev_std"] < 0.06
        assert row["photon_energy_ev"] == 21.218
        assert abs(row["unexplained_ev"]) < 4.0 * row["work_function_tangent_ev_std"]
    results = house.lake.rows("SELECT * FROM results WHERE is_current AND technique = 'ups' ORDER BY growth_id")
    assert {r["quantity"] for r in results} == {
        "work_function_ev",
        "work_function_tangent_ev",
        "tangent_bias_ev",
        "fermi_edge_binding_ev",
        "resolution_fwhm_ev",
    }
    phi = next(r for r in results if r["quantity"] == "work_function_ev")
    assert 0 < phi["sigma_statistical"] < phi["sigma_systematic"] < phi["sigma"]
    assert "tangent" in phi["method"]
    edge = next(r for r in results if r["source_file"].endswith(gold) and r["quantity"] == "fermi_edge_binding_ev")
    assert edge["value"] == pytest.approx(0.034, abs=0.006)
    points = house.lake.rows(
        "SELECT region, count(*) AS n FROM ups_spectrum WHERE growth_id = 'SIM-SUB' GROUP BY region"
    )
    assert {p["region"]: p["n"] for p in points}["UPS He I SIM-SUB"] == 1126
