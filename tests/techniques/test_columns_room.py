"""The atom column room, from a drawn reconstruction to displacements: finer than the fit, tails of another shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from rutile_assets.errors import FitFailed
from rutile_assets.physics.column_redraw import redraw, surrogate
from rutile_assets.provenance.film import Film, Outcome
from rutile_assets.results.displacement import DisplacementParameters, displacement_plane
from rutile_assets.simulation.column_images import (
    HAADF_HEIGHTS,
    ColumnImage,
    ColumnImageSetup,
    Distortion,
    draw_columns,
)
from rutile_assets.simulation.crystals import NO_DISPLACEMENT, Displacement
from rutile_assets.techniques.columns.assets import atom_column
from rutile_assets.techniques.columns.model import (
    ColumnParameters,
    interior,
    measure_columns,
    redrawn_null,
    side_from_normal,
    substrate_side,
)

FloatArray = npt.NDArray[np.float64]

SMALL = ColumnImageSetup(planes=(5, 5, 5), columns=6, signal_to_noise=1e9, pixel_angstrom=0.18)
SLICES, INNER = 10, 6


@dataclass
class Drawn:
    """A film with one reconstruction, whose slices are a drawn image with noise."""

    truth: ColumnImage
    store: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    def film(self, parameters: object, seed: int = 3) -> Film:
        def keep(name: str, array: FloatArray, attributes: Mapping[str, Any]) -> str:
            reference = f"{name}/{len(self.store)}"
            self.store[reference] = array
            return reference

        return Film("g", parameters, seed, self.tables.__getitem__, read_array=self.store.__getitem__, store_array=keep)

    def columns(self, **chosen: Any) -> tuple[Film, Outcome]:
        film = self.film(ColumnParameters(**chosen))
        outcome = atom_column.compute(film)
        for table in atom_column.writes:
            rows = outcome.tables.get(table.name, pd.DataFrame(columns=table.column_names))
            self.tables[table.name] = table.frame(rows.assign(growth_id="g", entity_id=0))
        return film, outcome

    def displacement(self) -> tuple[pd.DataFrame, pd.Series[Any]]:
        film = self.film(DisplacementParameters(0.0))
        outcome = displacement_plane.compute(film)
        frames = [
            table.frame(outcome.tables[table.name].assign(growth_id="g", entity_id=0))
            for table in displacement_plane.writes
        ]
        return frames[0], frames[1].iloc[0]


def _drawn(setup: ColumnImageSetup, seed: int, noise: float, slow_axis: str | None = "[110]", turns: int = 0) -> Drawn:
    """Noise [image units] is that of the mean of the inner slices."""
    truth = draw_columns(setup, np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1000)
    image = np.rot90(truth.image, turns)
    slices = image + noise * np.sqrt(INNER) * rng.standard_normal((SLICES, *image.shape))
    halves = image + noise * np.sqrt(2 * INNER) * rng.standard_normal((2, SLICES, *image.shape))
    row = {
        "file_id": 1,
        "object_array": "object",
        "halves_array": "halves",
        "object_pixel_nm": 0.1 * setup.pixel_angstrom,
        "field_first_row_index": 0,
        "field_last_row_index": image.shape[0] - 1,
        "field_first_column_index": 0,
        "field_last_column_index": image.shape[1] - 1,
    }
    tables = {
        "stem4d_calibration": pd.DataFrame([{"file_id": 1, "slow_axis": slow_axis}]),
        "ptychography": pd.DataFrame([row]),
        "haadf": pd.DataFrame(),
        "null_column": pd.DataFrame(columns=["file_id"]),
        "growth_layer": pd.DataFrame({"material": ["RuO2"]}),
        "xrr_fit_layer": pd.DataFrame(columns=["material", "thickness_nm", "thickness_nm_std"]),
        "xrd_fit": pd.DataFrame(columns=["material", "laue_thickness_nm", "laue_thickness_nm_std"]),
    }
    return Drawn(truth, {"object": slices, "halves": halves}, tables)


def _true_means(drawn: Drawn, planes: pd.DataFrame) -> FloatArray:
    """Return the truth's plane means, whose planes are counted from the same lowest plane."""
    moved = pd.Series(drawn.truth.displacement_pm[:, 0]).groupby(drawn.truth.plane_index).mean()
    return np.asarray(moved.reindex(planes.plane_index.astype(int)).to_numpy(dtype=float))


def test_a_drawn_reconstruction_gives_its_displacements_back_and_a_null_gives_none() -> None:
    shifted = _drawn(replace(SMALL, displacement=Displacement(9.0)), 0, 0.2)
    film, outcome = shifted.columns(null_replicates=2)
    assert not outcome.notes
    assert atom_column.figure is not None
    assert atom_column.figure(film, outcome) is not None
    image = shifted.tables["atom_column_image"].iloc[0]
    assert image.has_known_sign
    assert (image.first_slice_index, image.last_slice_index) == (2, 7)
    assert image.image_scale_factor == pytest.approx(1.0, abs=0.004)
    rows = shifted.tables["atom_column"]
    cations = rows[(rows.element != "O") & rows.is_usable]
    assert set(cations[cations.plane_index.between(5, 9)].element) == {"Ru"}
    planes, told = shifted.displacement()
    off = planes.displacement_out_of_plane_pm - _true_means(shifted, planes)
    assert float(np.sqrt(np.mean(off**2))) < 0.5
    assert float(np.abs(off / planes.displacement_out_of_plane_pm_std).max()) < 4.0
    assert told.ru_planes_count == 5
    assert told.null_probability < 1e-4
    assert told.null_rms_pm < 0.35

    nothing = _drawn(replace(SMALL, displacement=NO_DISPLACEMENT), 1, 0.2)
    nothing.columns(null_replicates=2)
    planes, told = nothing.displacement()
    assert float(np.sqrt(np.mean(planes.displacement_out_of_plane_pm**2))) < 0.35
    assert told.null_probability > 0.01


def test_the_sign_follows_the_scan_and_is_said_to_be_a_guess_where_nobody_knows_it() -> None:
    down = _drawn(replace(SMALL, displacement=Displacement(9.0)), 0, 0.1, slow_axis="[-1-10]", turns=2)
    down.columns(null_replicates=0)
    planes, _ = down.displacement()
    assert planes.displacement_out_of_plane_pm.corr(pd.Series(_true_means(down, planes))) > 0.99
    assert substrate_side(None, "")[2] is False
    assert substrate_side("[1-10]", "")[0] == "left"
    assert substrate_side("[1 1 0]", "") == (
        "top",
        "slow_axis [1 1 0] of the calibration: the slow scan runs along it",
        True,
    )
    assert substrate_side("[110]", "bottom")[0] == "bottom"
    with pytest.raises(FitFailed, match="substrate_side"):
        substrate_side("[110]", "north")


def test_a_haadf_image_has_cations_planes_and_a_sign_from_its_normal() -> None:
    setup = replace(SMALL, heights=HAADF_HEIGHTS, signal_to_noise=20.0, displacement=Displacement(9.0))
    film = _drawn(setup, 5, 0.0)
    film.tables["ptychography"] = film.tables["ptychography"].iloc[:0]
    film.store["haadf"] = np.pad(film.truth.image, 4, constant_values=np.nan)
    row = {"file_id": 2, "image_series": "a", "haadf_array": "haadf", "pixel_nm": 0.018, "normal_angle_deg": -90.0}
    film.tables["haadf"] = pd.DataFrame([row])
    _, outcome = film.columns()
    assert not outcome.notes
    rows = film.tables["atom_column"]
    assert set(rows.element) == {"Ti", "Ru"}
    assert rows.site.isna().all()
    inner = rows[rows.is_usable]
    assert inner[inner.element == "Ru"].plane_index.nunique() == 5
    assert inner.groupby("plane_index").column_y_nm.mean().is_monotonic_increasing  # outwards is down the rows here
    assert side_from_normal(92.0, "")[0] == "bottom"
    assert side_from_normal(180.0, "")[0] == "right"
    assert side_from_normal(None, "")[2] is False


def test_an_image_that_shows_no_rutile_leaves_a_sentence_and_no_rows() -> None:
    empty = _drawn(SMALL, 0, 0.2)
    empty.store["object"] = np.random.default_rng(0).standard_normal((SLICES, 120, 100))
    _, outcome = empty.columns(null_replicates=0)
    assert not outcome.tables
    assert "no columns: found" in outcome.notes[0]


def test_scale_shear_and_edges() -> None:
    bent = Distortion(rotation_deg=2.0, stretch_y=0.02, stretch_x=-0.01, shear=0.01)
    truth = draw_columns(
        replace(SMALL, displacement=Displacement(9.0), distortion=bent, signal_to_noise=20.0), np.random.default_rng(4)
    )
    found = measure_columns(truth.image, truth.pixel_angstrom, "ptychography", "top", 3.0)
    at, far = found.columns.positions_angstrom, (np.array(truth.image.shape) - 1) * truth.pixel_angstrom
    cations = found.columns.is_usable & ~found.columns.is_oxygen
    oxygens = found.columns.is_usable & found.columns.is_oxygen
    assert np.minimum(at, far - at)[cations].min() >= 3.0
    assert 1.0 <= np.minimum(at, far - at)[oxygens].min() < 3.0
    assert found.fit.line_jitter_angstrom == (0.0, 0.0)  # a reconstruction has no lines that could
    assert found.lattice.mean_step_angstrom == pytest.approx(3.2483 * (1.0 - 0.005), rel=0.006)


def test_a_redrawn_image_is_the_image_where_nothing_is_moved_and_its_noise_has_the_same_power() -> None:
    truth = draw_columns(replace(SMALL, signal_to_noise=20.0), np.random.default_rng(2))
    found = measure_columns(truth.image, truth.pixel_angstrom, "ptychography", "top", 3.0)
    rng = np.random.default_rng(0)
    noise = surrogate(found.fit.residual, rng)
    assert noise.std() == pytest.approx(found.fit.residual.std(), rel=0.01)
    silent = replace(found.fit, residual=np.zeros_like(found.fit.residual))
    again = redraw(silent, truth.pixel_angstrom, found.fit.positions_angstrom, rng)
    off = again - found.fit.image_model
    assert 0.0 < np.abs(off).max() < 0.15 * found.unit_height  # other tails, averaged pixels, the same place
    null = redrawn_null(found, truth.pixel_angstrom, rng)
    moved = np.linalg.norm(null.found_angstrom - null.drawn_angstrom, axis=1)[found.columns.is_usable]
    assert float(np.sqrt(np.mean(moved**2))) < 0.03


def test_the_interior_leaves_out_both_ends_and_keeps_something() -> None:
    assert interior(20, 0.2) == (4, 15)
    assert interior(1, 0.2) == (0, 0)
    assert interior(2, 0.5) == (0, 1)
    assert interior(3, 0.5) == (1, 1)
