"""The engine on 4D-STEM made by another program, with the truth walled off: minutes of CPU each, so slow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from joint_columns import fitted, not_single_maxima, simulated

from rutile_assets.techniques.ptychography.recipes import FAST
from rutile_assets.techniques.ptychography.solver import reconstruct

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "sim4dstem"
INTERIOR = (4, 15)  # of 20 slices


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lower", "null", "full"])
def test_noise_floor_columns_and_their_places(name: str) -> None:
    if not (FOLDER / f"{name}.raw").exists():
        pytest.skip(f"NO 4D-STEM at {FOLDER}: the check against truth did not run")
    torch.set_num_threads(1)
    data = simulated(FOLDER / f"{name}.raw")
    found = reconstruct(data.patterns, FAST, workers=2)
    assert 0.95 < found.chi_square_per_pixel < 1.15
    assert found.slices_check.ok, found.slices_check.sentence(FAST.slices)
    failures = not_single_maxima(found, data, *INTERIOR)
    assert {k: v for k, v in failures.items() if k != "pairs"} == {"Ti": 0, "Ru": 0, "O": 0}
    columns = fitted(found, data, *INTERIOR)
    for side, rms in columns.rms("Ti Ru").items():
        assert max(rms) <= 1.5, (side, rms)
    for side, rms in columns.rms("O").items():
        assert max(rms) <= 2.5, (side, rms)


@pytest.mark.slow
def test_slices_of_1_nm_fail_on_ruthenium_and_are_called_thick() -> None:
    if not (FOLDER / "lower.raw").exists():
        pytest.skip(f"NO 4D-STEM at {FOLDER}: the check against truth did not run")
    torch.set_num_threads(1)
    data = simulated(FOLDER / "lower.raw")
    found = reconstruct(data.patterns, replace(FAST, slices=10, slice_angstrom=10.0), workers=2)
    assert not found.slices_check.ok
    assert found.slices_check.suggested_slices > 10
