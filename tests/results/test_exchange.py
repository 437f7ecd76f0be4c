"""Reflectivity as ORSO text that orsopy reads; reflectivity, diffraction and photoelectrons as NeXus."""

from __future__ import annotations

import io
import os
import re
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rutile_assets.provenance.crate.selection import Selection
from rutile_assets.provenance.crate.write import Extra
from rutile_assets.results.exchange.measured import measured
from rutile_assets.results.exchange.nexus import nexus_files
from rutile_assets.results.exchange.ort import ort_files, reflectivity
from rutile_assets.rooms import all_tables
from rutile_assets.table import Table

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = Path(os.environ.get("ROC_VALIDATOR_PYTHON") or ROOT / ".venv-validator" / "bin" / "python")
TABLES = {table.name: table for table in all_tables()}
LAMBDA, BEAM, ZERO, FWHM = 1.5405929, 2.0e7, 0.02, 0.01
ANGLES = np.linspace(0.3, 8.0, 40)


def _rows(table: Table, rows: list[dict[str, Any]]) -> Any:
    filled = [{name: row.get(name) for name in table.column_names} for row in rows]
    return table.arrow_table(table.frame(filled))


def _selection(counts: np.ndarray, **settings: Any) -> Selection:
    """Return a film with a scan of reflectivity, one of diffraction and a spectrum, and the fit of the first."""
    file = {
        "sha256": "a" * 64, "growth_id": "MBE-1", "instrument": "SPECS Phoibos 150", "settings": "{}",
        "acquired_at": datetime(2025, 3, 1, 9, 30), "declared": settings.pop("declared", "{}"), "reader": "r",
        "reader_version": "v", "data_version": "d", "activity_id": 9, "ingested_at": datetime(2025, 3, 1),
        "is_withdrawn": False, **settings,
    }  # fmt: skip
    names = {1: ("xrr", "xrr/scan one.rasx"), 2: ("xrd", "xrd/scan.rasx"), 3: ("ups", "ups/scan.vms")}
    files = [{**file, "file_id": i, "technique": t, "original_path": p} for i, (t, p) in names.items()]
    files[2]["declared"] = '{"photon_energy_ev": 21.218}'
    growth = {
        "growth_id": "MBE-1", "entity_id": 10, "origin": "simulated", "substrate_material": "TiO2",
        "stack": "TiO2 (110) / RuO2 3 nm", "series": "RuO2/TiO2", "related": "",
    }  # fmt: skip
    point = {"growth_id": "MBE-1", "entity_id": 11, "scan_index": 1, "counting_time_s": 2.0}

    def scan(file_id: int) -> list[dict[str, Any]]:
        return [
            {**point, "file_id": file_id, "point_index": i + 1, "two_theta_deg": a, "detected_counts": float(n),
             "attenuation_factor": 10.0, "intensity_counts_per_s": n * 10.0 / 2.0}
            for i, (a, n) in enumerate(zip(ANGLES, counts, strict=True))
        ]  # fmt: skip

    spectrum = [
        {**point, "file_id": 3, "region": "He I", "point_index": i + 1, "kinetic_energy_ev": 10.0 + i,
         "detected_counts": 5.0, "intensity_counts_per_s": 2.5}
        for i in range(5)
    ]  # fmt: skip
    fit = {
        "growth_id": "MBE-1", "entity_id": 12, "file_id": 1, "points_count": 40, "free_parameters_count": 3,
        "reduced_chi_square": 1.0, "is_misfit": False, "model_error_ratio": 0.0, "two_theta_zero_deg": ZERO,
        "resolution_fwhm_deg": FWHM, "beam_width_over_length_ratio": 0.1, "direct_beam_counts_per_s": BEAM,
        "background_counts_per_s": 1.0, "at_bounds": "", "notes": "",
    }  # fmt: skip
    rows = {
        "raw_file": files, "growth": [growth], "xrr_scan": scan(1), "xrd_scan": scan(2), "ups_spectrum": spectrum,
        "xrr_fit": [fit],
    }  # fmt: skip
    tables = {name: _rows(TABLES[name], these) for name, these in rows.items()}
    return Selection(("MBE-1",), tables, {name: TABLES[name] for name in tables}, is_closed=True)


COUNTS = np.rint(1.0e5 * np.exp(-ANGLES))


def _ort(tmp_path: Path, extras: list[Extra]) -> Path:
    path = tmp_path / "scan.ort"
    path.write_bytes(extras[0].content)
    return path


def test_orsopy_reads_what_was_written(tmp_path: Path) -> None:
    orsopy = pytest.importorskip("orsopy.fileio")
    extras = list(ort_files(_selection(COUNTS)))
    assert [extra.path for extra in extras] == ["MBE-1/scan one-1.ort"]
    data = orsopy.load_orso(str(_ort(tmp_path, extras)))[0]
    theta = np.radians((ANGLES - ZERO) / 2.0)
    np.testing.assert_allclose(data.data[:, 0], 4.0 * np.pi / LAMBDA * np.sin(theta), rtol=1e-6)
    np.testing.assert_allclose(data.data[:, 1], COUNTS * 10.0 / 2.0 / BEAM, rtol=1e-11)
    np.testing.assert_allclose(data.data[:, 2], np.sqrt(np.maximum(COUNTS, 1.0)) * 5.0 / BEAM, rtol=1e-11)
    nudged = np.radians((ANGLES - ZERO + FWHM / np.sqrt(8.0 * np.log(2.0)) * 1e-3) / 2.0)
    slope = (np.sin(nudged) - np.sin(theta)) * 4.0 * np.pi / LAMBDA * 1e3
    np.testing.assert_allclose(data.data[:, 3], slope, rtol=1e-4)
    info = data.info
    assert [column.name for column in info.columns] == ["Qz", "R", "sR", "sQz"]
    assert (info.columns[0].unit, info.columns[3].error_type, info.columns[3].value_is) == (
        "1/angstrom", "resolution", "sigma",
    )  # fmt: skip
    assert info.data_source.experiment.probe == "x-ray"
    assert info.data_source.experiment.title.startswith("SIMULATED")
    assert info.data_source.measurement.data_files[0].file == "raw/MBE-1/xrr/scan one.rasx"
    assert "simulated data, not measured" in info.reduction.corrections


def test_sigma_of_r_is_that_of_its_counts() -> None:
    true = 2000.0 * np.exp(-ANGLES / 8.0)
    random = np.random.default_rng(1)
    selection = _selection(np.rint(true))
    file, fit = next(measured(selection, "xrr_scan")), selection.rows("xrr_fit")[0]
    pulls = []
    for _ in range(200):
        counts = random.poisson(true).astype(float)
        points = file.points.assign(detected_counts=counts, intensity_counts_per_s=counts * 5.0)
        _, r, sigma, _ = reflectivity(replace(file, points=points), fit)
        pulls.append((r - true * 5.0 / BEAM) / sigma)
    pull = np.array(pulls)
    assert abs(pull.mean()) < 0.1
    assert 0.9 < pull.std() < 1.1


def test_nexus_has_classes_definitions_units_and_links() -> None:
    extras = list(nexus_files(_selection(COUNTS)))
    assert [extra.says.rpartition(" ")[2] for extra in extras] == ["NXrefscan", "NXxrd", "NXmpes"]
    assert [extra.content for extra in nexus_files(_selection(COUNTS))] == [extra.content for extra in extras]
    refscan, xrd, mpes = (h5py.File(io.BytesIO(extra.content), "r") for extra in extras)
    entry = refscan["scan_1"]
    assert entry["definition"][()] == b"NXrefscan"
    np.testing.assert_array_equal(entry["instrument/detector/data"][...], COUNTS)
    assert entry["instrument/detector/polar_angle"].attrs["units"] == "deg"
    assert entry["data/data"] == entry["instrument/detector/data"]
    assert entry["instrument/monochromator/wavelength"][()] == pytest.approx(LAMBDA)
    assert entry["end_time"][()] == b"2025-03-01T09:31:20"
    np.testing.assert_allclose(entry["instrument/attenuator/attenuator_transmission"][...], 0.1)
    assert xrd["scan_1/instrument/beam/incident_energy"][()] == pytest.approx(8.0478, abs=1e-3)
    assert mpes["scan_1/data/energy"].attrs["type"] == "kinetic"
    assert mpes["scan_1/instrument/beam_probe/incident_energy"][()] == pytest.approx(21.218)
    for file in (refscan, xrd, mpes):
        classes: list[Any] = []
        file.visititems(lambda _, item, found=classes: found.append((item, item.attrs.get("NX_class"))))
        assert all(name for item, name in classes if isinstance(item, h5py.Group))
        file.close()


def test_what_lacks_what_a_definition_asks_for_is_not_written() -> None:
    assert list(nexus_files(_selection(COUNTS, acquired_at=None))) == []
    told = [extra.says for extra in nexus_files(_selection(COUNTS, instrument="an analyser"))]
    assert not any("NXmpes" in text for text in told)
    fractions = list(nexus_files(_selection(COUNTS + 0.5)))
    assert [extra.says.rpartition(" ")[2] for extra in fractions] == ["NXmpes"]


@pytest.mark.skipif(not VALIDATOR.with_name("nxvalidate").is_file(), reason="NO NEXUS VALIDATOR (docs/export.md)")
def test_the_validator_of_nexusformat_finds_no_error(tmp_path: Path) -> None:
    for place, extra in enumerate(nexus_files(_selection(COUNTS))):
        path = tmp_path / f"{place}.nxs"
        path.write_bytes(extra.content)
        answer = subprocess.run(
            [VALIDATOR.with_name("nxvalidate"), str(path)], capture_output=True, text=True, check=False
        )
        assert re.search(r"number of errors:\S* *\S*0\b", answer.stdout), answer.stdout[-2000:]
