"""VAMAS files that are written: our reader and the `vamas` package give back the arrays and the bias."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.simulation.writers import vamas
from rutile_assets.simulation.writers.scan import Header

HEADER = Header("SIM <1> & Söhne", "A. Person", "simulated, not measured", datetime(2025, 3, 14, 15, 9, 26))
RNG = np.random.default_rng(5)
FILM = vamas.Region("film", 0.83 + 0.02 * np.arange(1126), RNG.poisson(900.0, 1126) * 1.0, 0.3, 21.218, -5.0, 4.4, 2.0)
GOLD = vamas.Region("Au Fermi", 23.0 - 0.01 * np.arange(301), RNG.poisson(9.0, 301) * 1.0, 1.0, 21.218, 0.0, 4.4, 2.0)
REGIONS = (FILM, GOLD, replace(FILM, name="survey", photon_energy_ev=1486.6, bias_v=-4.9975))


def _reread(folder: Path, content: bytes) -> Measurement:
    path = folder / "a.vms"
    path.write_bytes(content)
    return read(Source.of(path))


def test_regions_come_back_exactly(tmp_path: Path) -> None:
    found = _reread(tmp_path, vamas.write(REGIONS, HEADER))
    assert len(found.scans) == len(REGIONS)
    for region, scan in zip(REGIONS, found.scans, strict=True):
        assert scan.columns["kinetic_energy_ev"] == pytest.approx(region.kinetic_energy_ev, abs=1e-9)
        assert np.array_equal(scan.columns["detected_counts"], region.counts)
        assert (scan.columns["counting_time_s"] == region.dwell_s).all()
        said = {
            "region": region.name,
            "photon_energy_ev": region.photon_energy_ev,
            "bias_v": region.bias_v,
            "analyser_work_function_ev": region.analyser_work_function_ev,
            "pass_energy_ev": region.pass_energy_ev,
            "dwell_s": region.dwell_s,
            "sample": HEADER.sample,
        }
        assert {key: scan.settings[key] for key in said} == said
    assert [scan.settings["analysis_method"] for scan in found.scans] == ["UPS", "UPS", "XPS"]
    assert [scan.settings["source"] for scan in found.scans] == ["He I", "He I", "Al"]
    assert [scan.settings["step_ev"] for scan in found.scans] == [0.02, -0.01, 0.02]
    assert (found.technique, found.sample, found.operator) == ("ups", HEADER.sample, HEADER.operator or None)
    assert found.acquired_at == HEADER.started_at
    assert str(found.scans[1].settings["acquired_at"]) == "2025-03-14T15:15:03"  # 1126 points of 0.3 s later


def test_the_vamas_package_reads_the_same() -> None:
    peer = pytest.importorskip("vamas").Vamas(vamas.write(REGIONS, HEADER))
    assert (peer.header.experiment_mode, peer.header.scan_mode) == ("NORM", "REGULAR")
    for region, block in zip(REGIONS, peer.blocks, strict=True):
        (variable,) = block.corresponding_variables
        assert variable.y_values == list(region.counts)
        assert (variable.y_min, variable.y_max) == (region.counts.min(), region.counts.max())
        axis = block.x_start + block.x_step * np.arange(block.num_y_values)
        assert axis == pytest.approx(region.kinetic_energy_ev, abs=1e-9)
        assert block.target_bias == region.bias_v
        assert block.analyzer_work_function_or_acceptance_energy == region.analyser_work_function_ev
        assert block.analysis_source_characteristic_energy == region.photon_energy_ev
        assert block.analyzer_pass_energy_or_retard_ratio_or_mass_res == region.pass_energy_ev
        assert (block.block_identifier, block.x_label) == (region.name, "kinetic energy")
        assert (block.signal_collection_time, block.num_scans_to_compile_block) == (region.dwell_s, 1)
        assert "simulated" in block.block_comment


def test_a_file_says_that_it_is_simulated_and_is_the_same_for_the_same_data() -> None:
    content = vamas.write(REGIONS, HEADER)
    assert content == vamas.write(REGIONS, HEADER)
    assert content.count(b"simulated, not measured") == 1 + len(REGIONS)
    assert content.count(b"\r\n") == content.count(b"\n")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_cut_file_is_refused(part: float, tmp_path: Path) -> None:
    content = vamas.write(REGIONS, HEADER)
    with pytest.raises(UnreadableFile):
        _reread(tmp_path, content[: int(part * len(content))])


def test_an_axis_in_unequal_steps_is_not_written() -> None:
    uneven = replace(FILM, kinetic_energy_ev=FILM.kinetic_energy_ev**1.01)
    with pytest.raises(ValueError, match="equal steps"):
        vamas.write([uneven], HEADER)
