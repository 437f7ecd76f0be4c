"""Images drawn from known columns, measured from the image alone and scored against what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from rutile_assets.physics.column_fit import ColumnFit, fit_columns
from rutile_assets.physics.column_lattice import Sites, rutile_sites
from rutile_assets.simulation.column_images import ColumnImage, ColumnImageSetup, draw_columns

INNER_ANGSTROM = 1.5  # columns nearer to the edge are fitted and not scored
OXYGEN_REACH_ANGSTROM = 2.35
IN_A_PLANE = 6  # a mean over fewer cations is not scored


@dataclass(frozen=True)
class Score:
    """What a fit of one image is worth.

    `position_pulls` per element (n, 2); `single_pm` (n, 2) errors of displacements out of plane and in plane, their
    `single_std_pm`; per plane `plane_error_pm`, `plane_pm` (measured) and `plane_std_pm`, (m, 2) each.
    """

    position_pulls: dict[str, np.ndarray]
    position_error_pm: dict[str, np.ndarray]
    single_pm: np.ndarray
    single_std_pm: np.ndarray
    plane_index: np.ndarray
    plane_pm: np.ndarray
    plane_error_pm: np.ndarray
    plane_std_pm: np.ndarray

    @property
    def single_pulls(self) -> np.ndarray:
        return self.single_pm / self.single_std_pm

    @property
    def plane_pulls(self) -> np.ndarray:
        return self.plane_error_pm / self.plane_std_pm


Measure = Callable[[ColumnImage, Sites], np.ndarray]


@dataclass(frozen=True)
class Octahedra:
    """Linear map from positions to displacements: `weights` (n, C, 2) along the two directions stacked (2, n, C, 2)."""

    weights: np.ndarray
    plane: np.ndarray
    truth_of: np.ndarray
    scored: np.ndarray


def octahedra(drawn: ColumnImage, sites: Sites) -> Octahedra:
    """Return displacements of all inner cations with four oxygens, out of plane and in plane."""
    tree = cKDTree(drawn.positions_angstrom)
    away, truth_of = tree.query(sites.start_angstrom)
    assert away[~sites.is_outside].max() < 0.45, away.max()
    far = (np.array(drawn.image.shape) - 1) * drawn.pixel_angstrom
    within = np.minimum(sites.start_angstrom, far - sites.start_angstrom).min(axis=1)
    scored = (within > INNER_ANGSTROM) & ~drawn.is_contaminated[truth_of] & (away < 0.45)
    oxygens = np.flatnonzero(sites.element == "O")
    outward = sites.plane_step_angstrom / np.hypot(*sites.plane_step_angstrom)
    across = sites.row_step_angstrom / np.hypot(*sites.row_step_angstrom)
    weights, plane = [], []
    for i in np.flatnonzero((sites.element != "O") & scored):
        near = oxygens[np.hypot(*(sites.start_angstrom[oxygens] - sites.start_angstrom[i]).T) < OXYGEN_REACH_ANGSTROM]
        if len(near) != 4 or not scored[near].all():
            continue
        line = np.zeros(len(sites.element))
        line[i], line[near] = 1.0, -0.25
        weights.append(line)
        plane.append(sites.plane_index[i])
    lines = np.array(weights)
    both = np.stack([lines[:, :, None] * direction for direction in (outward, across)])
    return Octahedra(both, np.array(plane), truth_of, scored)


def _full_planes(told: Octahedra) -> np.ndarray:
    planes, count = np.unique(told.plane, return_counts=True)
    return planes[count >= IN_A_PLANE]


def fit_drawn(drawn: ColumnImage, **how: float) -> tuple[ColumnFit, Sites]:
    """Find and fit an image's columns as a room would: all that is known beforehand is the substrate's side."""
    which = "phase" if "O" in drawn.element else "haadf"
    sites = rutile_sites(drawn.image, drawn.pixel_angstrom, which=which, substrate_side="top")
    return fit_columns(drawn.image, drawn.pixel_angstrom, sites.start_angstrom, sites.element.tolist(), **how), sites


def score(drawn: ColumnImage, fit: ColumnFit, sites: Sites) -> Score:
    """Score a joint fit with its own errors."""
    told = octahedra(drawn, sites)
    error = 100.0 * (fit.positions_angstrom - drawn.positions_angstrom[told.truth_of])
    std = 100.0 * np.sqrt(np.einsum("caa->ca", fit.position_covariance_angstrom2))
    element = drawn.element[told.truth_of]
    planes = _full_planes(told)
    single, single_std, plane, plane_error, plane_std = [], [], [], [], []
    for lines in told.weights:
        means = np.array([lines[told.plane == m].mean(axis=0) for m in planes])
        single.append(np.einsum("nca,ca->n", lines, error))
        single_std.append(100.0 * np.sqrt(np.diag(fit.covariance_angstrom2(lines))))
        plane.append(100.0 * np.einsum("nca,ca->n", means, fit.positions_angstrom))
        plane_error.append(np.einsum("nca,ca->n", means, error))
        plane_std.append(100.0 * np.sqrt(np.diag(fit.covariance_angstrom2(means))))
    chosen = {e: told.scored & (element == e) for e in np.unique(element)}
    return Score(
        {e: (error / std)[q] for e, q in chosen.items()},
        {e: error[q] for e, q in chosen.items()},
        np.stack(single, axis=1),
        np.stack(single_std, axis=1),
        planes,
        np.stack(plane, axis=1),
        np.stack(plane_error, axis=1),
        np.stack(plane_std, axis=1),
    )


def plane_errors(drawn: ColumnImage, sites: Sites, positions_angstrom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return planes and the errors of their means out of plane [pm] of any other way to find columns."""
    told = octahedra(drawn, sites)
    error = 100.0 * (positions_angstrom - drawn.positions_angstrom[told.truth_of])
    each = np.einsum("nca,ca->n", told.weights[0], error)
    planes = _full_planes(told)
    return planes, np.array([each[told.plane == m].mean() for m in planes])


def scored(setup: ColumnImageSetup, seeds: Iterable[int]) -> list[Score]:
    """Draw, find, fit and score an image for each seed."""
    found = []
    for seed in seeds:
        drawn = draw_columns(setup, np.random.default_rng([seed, 5]))
        fit, sites = fit_drawn(drawn)
        assert fit.is_converged, fit.notes
        found.append(score(drawn, fit, sites))
    return found


def pooled(scores: list[Score]) -> dict[str, float]:
    """Return RMS and worst errors [pm], widths and means of pulls over all images."""
    single = np.concatenate([s.single_pm for s in scores])
    plane = np.concatenate([s.plane_error_pm for s in scores])
    measured = np.concatenate([s.plane_pm[:, 0] for s in scores])
    pulls = {
        **{e: np.concatenate([s.position_pulls[e] for s in scores]) for e in ("Ti", "Ru", "O")},
        "single": np.concatenate([s.single_pulls for s in scores]),
        "plane": np.concatenate([s.plane_pulls for s in scores]),
    }
    told = {
        "single_rms_pm": float(np.sqrt((single**2).mean(axis=0)).max()),
        "plane_rms_pm": float(np.sqrt((plane[:, 0] ** 2).mean())),
        "plane_worst_pm": float(np.abs(plane[:, 0]).max()),
        "measured_plane_rms_pm": float(np.sqrt((measured**2).mean())),
        "measured_plane_worst_pm": float(np.abs(measured).max()),
    }
    for name, values in pulls.items():
        for axis, letter in enumerate("yx"):
            told[f"{name}_{letter}_width"] = float(values[:, axis].std())
            told[f"{name}_{letter}_mean"] = float(values[:, axis].mean())
    for e in ("Ti", "Ru", "O"):
        told[f"{e}_rms_pm"] = float(np.sqrt((np.concatenate([s.position_error_pm[e] for s in scores]) ** 2).mean()))
    return told
