"""The simulated second harmonic: limits of the recipe, the text, and the room's way from file to results."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from rutile_assets import formats
from rutile_assets.formats.measurement import Source
from rutile_assets.provenance.film import Film, Outcome, RawFile
from rutile_assets.simulation import shg
from rutile_assets.simulation.files import shg_files
from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, film_truth
from rutile_assets.techniques.shg import assets
from rutile_assets.techniques.shg.model import BOTH, DIPOLE, ShgFitParameters


def test_the_recipe_is_polar_below_4_nm_drops_there_and_goes_on() -> None:
    assert shg.dipole_fraction(3.5) > 0.999
    assert shg.ss_fraction(3.5) < 1e-6
    assert shg.dipole_fraction(3.9) - shg.dipole_fraction(4.5) > 0.2
    above = [shg.dipole_fraction(t) for t in (4.5, 5.2, 6.5, 8.0, 11.0, 17.2)]
    assert (np.diff(above) < 0).all()
    assert (np.diff([shg.ss_fraction(t) for t in (4.5, 6.5, 11.0, 17.2)]) > 0).all()


def test_without_imperfections_the_counts_follow_the_expectation() -> None:
    setup = shg.ShgSetup(peak_counts=1e6, cone_deg=1e-6)
    scans = shg.simulate_shg(1.0, setup, IDEAL, np.random.default_rng(0))
    assert scans.counts.max() == pytest.approx(1e6, rel=0.01)
    assert scans.counts[:, 3].max() < 15  # ss is dark
    assert scans.reference == pytest.approx(1.0)
    half = scans.counts[:36, :3], scans.counts[36:, :3]
    assert np.abs(half[0] - half[1]).max() < 6.0 * np.sqrt(2e6)  # half a turn changes nothing


def _computed(folder: Path, nominal_nm: float) -> tuple[Outcome, Outcome, Film]:
    truth = film_truth("SIM-F", UNCAPPED, nominal_nm, Realism(), generator(0, "SIM-F", "film"))
    scan, sidecar = shg_files(truth, datetime(2025, 3, 3), Realism(), generator(0, "SIM-F", "shg"))
    path = folder / "scan.csv"
    path.write_bytes(scan.content)
    declared = yaml.safe_load(sidecar.content)
    tables: dict[str, pd.DataFrame] = {}
    film = Film(
        "SIM-F",
        ShgFitParameters(),
        0,
        lambda name: tables[name],
        [RawFile(1, "0", scan.path, path)],
        lambda file: formats.read(Source(file.path, file.name, declared)),
    )
    outcomes = []
    for asset in (assets.shg_scan, assets.shg_fit):
        outcome = asset.compute(film)
        for table in asset.writes:
            tables[table.name] = table.frame(outcome.tables[table.name].assign(growth_id="SIM-F", entity_id=1))
        outcomes.append(outcome)
    return outcomes[0], outcomes[1], film


@pytest.mark.parametrize(("nominal_nm", "symmetry"), [(2.5, DIPOLE), (6.5, BOTH)])
def test_from_text_to_results(tmp_path: Path, nominal_nm: float, symmetry: str) -> None:
    scanned, fitted, film = _computed(tmp_path, nominal_nm)
    assert len(scanned.tables["shg_scan"]) == 4 * 72
    assert len(scanned.tables["shg_scan_harmonic"]) == 4 * 9
    (row,) = fitted.tables["shg_fit"].to_dict("records")
    assert row["symmetry"] == symmetry
    assert "itself mm2" in row["notes"]
    truth = film_truth("SIM-F", UNCAPPED, nominal_nm, Realism(), generator(0, "SIM-F", "film"))
    known = {q.quantity: q.value for q in truth.quantities() if q.quantity.startswith("shg")}
    found = {r.estimate.quantities[0]: r.estimate for r in fitted.results}
    assert set(found) == {"shg_delta_bic", "shg_ss_fraction", "shg_ed_fraction"}
    for name, value in known.items():
        assert abs(found[name].values[0] - value) < 4.0 * found[name].std[0] + 0.003, name
        assert any("itself mm2" in note for note in found[name].notes)
    assert assets.shg_fit.figure is not None
    figure = assets.shg_fit.figure(film, fitted)
    assert figure is not None
    assert len(figure.axes) == 4


def test_only_uncapped_films_are_scanned() -> None:
    truth = film_truth("SIM-T", TRILAYER, 3.8, Realism(), generator(0, "SIM-T", "film"))
    assert shg_files(truth, datetime(2025, 3, 3), Realism(), generator(0, "SIM-T", "shg")) == []
    assert not [q for q in truth.quantities() if q.quantity.startswith("shg")]
