"""Lattices and sites from the image alone: any orientation, a wrong scale, flaws, and a real SrTiO3."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rutile_assets.errors import FitFailed
from rutile_assets.physics.column_lattice import Sites, rutile_sites
from rutile_assets.physics.image_lattice import find_lattice
from rutile_assets.simulation.column_images import (
    HAADF_HEIGHTS,
    ColumnImage,
    ColumnImageSetup,
    Distortion,
    draw_columns,
)

SMALL = ColumnImageSetup(planes=(3, 3, 3), columns=7)


def _turned(rotation_deg: float) -> Distortion:
    return Distortion(rotation_deg, 0.05, 0.04, 0.01, 20.0, 2.0)


def _check(drawn: ColumnImage, sites: Sites, *, is_phase: bool) -> None:
    away, near = cKDTree(drawn.positions_angstrom).query(sites.start_angstrom)
    assert np.sqrt((away[~sites.is_outside] ** 2).mean()) < 0.06
    assert away.max() < 0.45
    assert len(np.unique(near)) == len(near)
    oxygen = sites.element == "O"
    np.testing.assert_array_equal(oxygen, drawn.element[near] == "O")
    far = (np.array(drawn.image.shape) - 1) * drawn.pixel_angstrom
    inside = ((drawn.positions_angstrom > 0.4) & (drawn.positions_angstrom < far - 0.4)).all(axis=1)
    unfound = inside & (drawn.height > 0) & ~np.isin(np.arange(len(inside)), near)
    assert not unfound.any(), drawn.positions_angstrom[unfound]
    assert not (drawn.height[near] == 0).any()
    if is_phase:
        np.testing.assert_array_equal(sites.site[~oxygen], drawn.site[near][~oxygen])
    for found, true in ((sites.plane_index, drawn.plane_index), (sites.row_index, drawn.row_index)):
        steps = found[~oxygen] - true[near][~oxygen]
        turned = found[~oxygen] + true[near][~oxygen]
        assert len(np.unique(steps)) == 1 or len(np.unique(turned)) == 1


@pytest.mark.parametrize(
    ("rotation_deg", "side", "outwards"), [(0.0, "top", 1), (23.0, "top", 1), (-100.0, "left", -1), (170.0, "top", -1)]
)
def test_sites_at_any_orientation_with_a_scale_five_percent_wrong(
    rotation_deg: float, side: str, outwards: int
) -> None:
    setup = replace(SMALL, distortion=_turned(rotation_deg), contamination=0.1, missing_columns=2, signal_to_noise=10.0)
    drawn = draw_columns(setup, np.random.default_rng(int(rotation_deg) % 97))
    sites = rutile_sites(drawn.image, drawn.pixel_angstrom, substrate_side=side)
    _check(drawn, sites, is_phase=True)
    _, near = cKDTree(drawn.positions_angstrom).query(sites.start_angstrom)
    cations = sites.element != "O"
    slope = np.polyfit(drawn.plane_index[near][cations], sites.plane_index[cations], 1)[0]
    assert slope == pytest.approx(outwards)
    assert sites.plane_index[cations & ~sites.is_outside].min() == 0


def test_pixels_of_a_reconstruction_and_cations_alone() -> None:
    coarse = draw_columns(replace(SMALL, pixel_angstrom=0.25, distortion=_turned(8.0)), np.random.default_rng(1))
    _check(coarse, rutile_sites(coarse.image, 0.25, substrate_side="top"), is_phase=True)
    haadf = replace(SMALL, heights=HAADF_HEIGHTS, core_angstrom=0.45, pixel_angstrom=0.1, distortion=_turned(-30.0))
    drawn = draw_columns(haadf, np.random.default_rng(2))
    sites = rutile_sites(drawn.image, 0.1, which="haadf", substrate_side="top")
    _check(drawn, sites, is_phase=False)
    assert set(sites.element) == {"Ti"}


def test_missing_and_contaminated_columns_are_told() -> None:
    setup = replace(SMALL, columns=10, missing_columns=3, contaminated_columns=3)
    drawn = draw_columns(setup, np.random.default_rng(3))
    sites = rutile_sites(drawn.image, drawn.pixel_angstrom, substrate_side="top")
    away, near = cKDTree(drawn.positions_angstrom).query(sites.start_angstrom)
    far = (np.array(drawn.image.shape) - 1) * drawn.pixel_angstrom
    depth = np.minimum(drawn.positions_angstrom, far - drawn.positions_angstrom).min(axis=1)
    gone = drawn.positions_angstrom[(drawn.height == 0) & (depth > 0.4)]
    assert len(gone) > 0
    assert cKDTree(sites.missing_angstrom).query(gone)[0].max() < 0.4
    assert len(sites.missing_angstrom) == len(gone)
    dirty = drawn.is_contaminated & (depth > 1.2)
    assert set(np.flatnonzero(dirty)) <= set(near[sites.is_contaminated])
    assert away.max() < 0.45


def test_nan_pixels_hold_no_columns() -> None:
    drawn = draw_columns(SMALL, np.random.default_rng(4))
    image = drawn.image.copy()
    image[:40] = np.nan
    sites = rutile_sites(image, drawn.pixel_angstrom, substrate_side="top")
    assert sites.start_angstrom[:, 0].min() > 40 * drawn.pixel_angstrom - 1.5


def test_the_lattice_of_a_real_strontium_titanate_image(realdata: Path) -> None:
    """MANIFEST.csv: d110 0.2836 and 0.2887 nm, d100 0.402 and 0.407 nm by the header's scale, axes at 89 degrees."""
    data = (realdata / "haadf_stem" / "ncem_16_STOimage_1.ser").read_bytes()
    start = data.find(struct.pack("<II", 1024, 1024)) + 8
    image = np.frombuffer(data, "<u2", count=1024 * 1024, offset=start).reshape(1024, 1024).astype(float)
    assert image.mean() == pytest.approx(18748.33, abs=0.01)
    lattice = find_lattice(image, 0.100127)
    d100 = sorted(lattice.spacing_angstrom(order)[0] for order in ((1, 0), (0, 1)))
    d110 = sorted(lattice.spacing_angstrom(order)[0] for order in ((1, 1), (1, -1)))
    assert d100 == pytest.approx([4.02, 4.07], abs=0.012)
    assert d110 == pytest.approx([2.836, 2.887], abs=0.012)
    assert lattice.angle_deg((1, 0), (0, 1)) == pytest.approx(89.0, abs=0.3)
    scale = np.sqrt(d100[0] * d100[1] * np.sin(np.deg2rad(lattice.angle_deg((1, 0), (0, 1))))) / 3.905
    assert 0.03 < scale - 1.0 < 0.04
    with pytest.raises(FitFailed, match="no square grid"):
        rutile_sites(image, 0.100127, which="haadf", substrate_side="top")


def test_what_holds_no_lattice_is_refused_with_a_reason() -> None:
    rng = np.random.default_rng(5)
    with pytest.raises(FitFailed, match="no wave"):
        find_lattice(9994.0 + rng.normal(size=(128, 128)), 0.8)
    with pytest.raises(FitFailed, match="field of"):
        find_lattice(rng.normal(size=(4, 16)), 0.5)
    with pytest.raises(FitFailed, match="no wave"):
        find_lattice(np.zeros((128, 128)), 0.2)
    stripes = np.cos(2 * np.pi * np.arange(256) * 0.1 / 3.0)[:, None] + 0.1 * rng.normal(size=(256, 256))
    with pytest.raises(FitFailed, match="one direction"):
        find_lattice(stripes, 0.1)
    drawn = draw_columns(SMALL, rng)
    with pytest.raises(FitFailed, match="substrate side"):
        rutile_sites(drawn.image, drawn.pixel_angstrom, substrate_side="north")
    with pytest.raises(FitFailed, match="no square grid"):
        rutile_sites(drawn.image, 1.2 * drawn.pixel_angstrom, substrate_side="top")
    cations = draw_columns(replace(SMALL, heights=HAADF_HEIGHTS), rng)
    with pytest.raises(FitFailed, match="two sites"):
        rutile_sites(cations.image, cations.pixel_angstrom, which="phase", substrate_side="top")
