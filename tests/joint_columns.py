"""Scoring of reconstructions against a simulation's truth: joint Gaussian fits of all columns, and single maxima."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from rutile_assets.physics.column_fit import fit_columns
from rutile_assets.techniques.ptychography.data import Patterns
from rutile_assets.techniques.ptychography.optics import Optics
from rutile_assets.techniques.ptychography.solver import Reconstruction

EDGE_ANGSTROM, RIM_ANGSTROM = 1.0, 1.6  # of the scan: not fitted, fitted but not scored


@dataclass(frozen=True)
class Simulated:
    """A file of ../shared/sim4dstem: patterns without the truth, and the truth apart."""

    patterns: Patterns
    truth: dict[str, Any]

    @property
    def scan_angstrom(self) -> np.ndarray:
        """Lowest and highest (y, x) of the scan in the frame of the truth."""
        origin = np.array(self.truth["scan_origin_A"])
        size = np.array([self.truth["ny"] - 1, self.truth["nx"] - 1]) * self.truth["step"]
        return np.array([origin, origin + size])


def simulated(path: Path) -> Simulated:
    """Read an EMPAD file and the settings beside it; only `truth` holds the columns."""
    told = json.loads(path.with_suffix(".json").read_text())
    counts = np.memmap(path, "<f4", mode="r").reshape(-1, 130, 128)[:, :128]
    positions = np.argwhere(np.ones((told["ny"], told["nx"]))) * told["step"]
    optics = Optics(told["energy_eV"] / 1e3, told["alpha"], told["mrad"], told["overfocus"] / 10.0)
    return Simulated(Patterns(counts, positions, optics, told["adu"]), told)


@dataclass(frozen=True)
class Columns:
    """Fitted columns against the truth: all arrays one entry a column that is scored."""

    element: np.ndarray
    above: np.ndarray  # beyond the interface nearest to it, seen from the substrate: within RuO2 or not
    place_angstrom: np.ndarray
    error_pm: np.ndarray

    def rms(self, elements: str) -> dict[str, list[float]]:
        """Return the RMS (y, x) of the named elements on each side [pm]."""
        chosen = np.isin(self.element, elements.split())
        sides = {"TiO2": chosen & ~self.above, "RuO2": chosen & self.above}
        return {k: np.sqrt(np.mean(self.error_pm[v] ** 2, 0)).round(2).tolist() for k, v in sides.items() if v.any()}

    def by_the_lattice(self) -> Columns:
        """Return them with scale, turn and shear of the image taken out, as a lattice that serves as ruler does."""
        cations = self.element != "O"
        design = np.column_stack([self.place_angstrom, np.ones(len(self.element))])
        slope = np.linalg.lstsq(design[cations], self.error_pm[cations], rcond=None)[0]
        return replace(self, error_pm=self.error_pm - design @ slope)


def fitted(found: Reconstruction, data: Simulated, first: int, last: int) -> Columns:
    """Fit the mean of some slices; the common shift of all cations is taken out (the object's frame is free)."""
    image = found.depth_mean(first, last)
    scan = data.scan_angstrom
    origin = np.array(found.origin_angstrom) + scan[0]
    y, x = (origin[i] + found.pixel_angstrom * np.arange(image.shape[i]) for i in range(2))
    rows = (y >= scan[0, 0] + EDGE_ANGSTROM) & (y <= scan[1, 0] - EDGE_ANGSTROM)
    columns = (x >= scan[0, 1] + EDGE_ANGSTROM) & (x <= scan[1, 1] - EDGE_ANGSTROM)
    inner = scan + np.array([[EDGE_ANGSTROM], [-EDGE_ANGSTROM]])
    told = [c for c in data.truth["columns"] if (_inside(c, inner, -1.2))]
    true = np.array([[c["y"], c["x"]] for c in told])
    element = np.array([c["element"] for c in told])
    places = _joint_fit(image[np.ix_(rows, columns)], y[rows], x[columns], true, element)
    scored = np.array([_inside(c, scan, RIM_ANGSTROM) for c in told])
    cations = scored & (element != "O")
    error = places - true - (places - true)[cations].mean(0)
    low, high = data.truth["interfaces_y_A"]
    above = (true[:, 0] > low) & (true[:, 0] < high)
    return Columns(element[scored], above[scored], true[scored], 100.0 * error[scored])


def _inside(column: dict[str, Any], box: np.ndarray, margin: float) -> bool:
    at = np.array([column["y"], column["x"]])
    return bool((at >= box[0] + margin).all() and (at <= box[1] - margin).all())


def _joint_fit(image: np.ndarray, y: np.ndarray, x: np.ndarray, start: np.ndarray, element: np.ndarray) -> np.ndarray:
    """Return positions of the joint fit: core and tail shared per element, one background."""
    corner = np.array([y[0], x[0]])
    return fit_columns(image, float(y[1] - y[0]), start - corner, element.tolist()).positions_angstrom + corner


def not_single_maxima(found: Reconstruction, data: Simulated, first: int, last: int) -> dict[str, int]:
    """Count, per element, (column, slice) pairs without one clear maximum within 0.4 angstrom of the column.

    Slices are smoothed by 0.7 pixel (0.18 angstrom); a second maximum within 0.6 angstrom counts as a failure too.
    """
    scan = data.scan_angstrom
    origin = np.array(found.origin_angstrom) + scan[0]
    failures: dict[str, int] = {"Ti": 0, "Ru": 0, "O": 0, "pairs": 0}
    told = [c for c in data.truth["columns"] if _inside(c, scan, RIM_ANGSTROM)]
    for layer in found.potential_rad[first : last + 1]:
        smooth = gaussian_filter(layer.astype(float), 0.7)
        peaks = origin + found.pixel_angstrom * np.argwhere((smooth == maximum_filter(smooth, 3)) & (smooth > 0.02))
        for column in told:
            away = np.hypot(*(peaks - np.array([column["y"], column["x"]])).T)
            failures["pairs"] += 1
            failures[column["element"]] += int((away < 0.4).sum() != 1 or (away < 0.6).sum() != 1)
    return failures
