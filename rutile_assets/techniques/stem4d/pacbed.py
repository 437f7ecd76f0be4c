"""Thickness of a sample from its position-averaged pattern (PACBED), matched against plane waves through rutile.

At each thickness the pattern is a linear sum: what each material gives, how that moves with a small tilt, with a shift
and stretch of the detector and with blur, and diffuse scattering. So the misfit against thickness is a profile over all
of these, and its minimum is the estimate. LeBeau et al., Ultramicroscopy 110, 118 (2010),
doi 10.1016/j.ultramic.2009.10.001. Shapes: Y, X pixels, N pixels that are fitted, T thicknesses, P linear terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from rutile_assets.errors import FitFailed
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.techniques.stem4d.beams import BeamTable, Cone, beam_table

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MATERIALS = ("TiO2", "RuO2")
TILT_STEP = 1.0  # mrad, of the derivative
ROUNDS = 2
BLOCK = 4  # pixels along the side of what is taken as one residual
LEAST_THICKNESS_NM = 2.0
DIFFUSE = 1  # place of the free diffuse term
FINE = 20  # thicknesses from one node before the least to one behind
SLOPE_NM = 0.05


@dataclass(frozen=True)
class ThicknessParameters:
    """What a person may choose about the thickness from the position-averaged pattern.

    Parameters
    ----------
    thickest_nm : float
        What the sample may be thick at most [nm].
    reach_mrad : float
        Radius that is fitted [mrad].
    pixel_mrad : float
        Pixels are summed to about this [mrad].
    is_tilted : bool
        Whether a small mistilt is fitted.
    is_tapered : bool
        Whether the scan's rim weighs less (Hann), so that cells which the scan cuts do not tell.
    vibration_fraction : float
        One sigma of the vibrations' amplitude, a systematic of the thickness; 0 leaves it out.
    """

    thickest_nm: float = 25.0
    reach_mrad: float = 40.0
    pixel_mrad: float = 1.56
    is_tilted: bool = True
    is_tapered: bool = True
    vibration_fraction: float = 0.1


@dataclass(frozen=True)
class MeanPattern:
    """A position-averaged pattern in the crystal's frame.

    Parameters
    ----------
    electrons : ndarray
        (Y, X) mean electrons of a pattern in each pixel.
    variance : ndarray
        (Y, X) of counting.
    place_mrad : ndarray
        (Y, X, 2) along [110] and [1-10] [mrad].
    pixel_mrad : float
        [mrad].
    good : ndarray of bool
        (Y, X).
    """

    electrons: FloatArray
    variance: FloatArray
    place_mrad: FloatArray
    pixel_mrad: float
    good: BoolArray


@dataclass(frozen=True)
class Thickness:
    """What a position-averaged pattern says.

    Parameters
    ----------
    thickness_nm, statistical_nm : float
        And its one sigma from counting and misfit [nm].
    vibration_nm : float
        Shift of the thickness by one sigma of the vibrations; NaN where it was not asked for [nm].
    diffuse_nm : float
        Shift where the diffuse scattering is as calculated and not as strong as fits best [nm].
    tilt_mrad : tuple of float
        Of the crystal along [110] and [1-10] [mrad].
    ruo2_fraction : float
        Of the material the beam went through.
    reduced_chi_square : float
        Against counting alone.
    model_error_fraction : float
        What the model misses, of the intensity, so that the misfit is explained.
    runner_up_nm, runner_up_ratio : float
        The next minimum and its misfit over the least; NaN where there is none.
    curve_nm, curve : ndarray
        (T) thicknesses [nm] and misfit over its least value.
    model : ndarray
        (Y, X) the best pattern; NaN outside what was fitted.
    planes_nm : float
        One sigma as a sample ends with an atomic plane: their distance over sqrt(12) [nm].
    notes : tuple of str
        Sentences.
    """

    thickness_nm: float
    statistical_nm: float
    vibration_nm: float
    diffuse_nm: float
    tilt_mrad: tuple[float, float]
    ruo2_fraction: float
    reduced_chi_square: float
    model_error_fraction: float
    runner_up_nm: float
    runner_up_ratio: float
    curve_nm: FloatArray
    curve: FloatArray
    model: FloatArray
    planes_nm: float
    notes: tuple[str, ...] = ()

    @property
    def systematics(self) -> dict[str, FloatArray]:
        """Name of an effect -> (1) shift of one sigma [nm]."""
        found = {
            "whole atomic planes": np.array([self.planes_nm]),
            "strength of diffuse scattering": np.array([self.diffuse_nm]),
        }
        if np.isfinite(self.vibration_nm):
            found["vibration amplitudes"] = np.array([self.vibration_nm])
        return found

    @property
    def total_nm(self) -> float:
        """One sigma of all effects [nm]."""
        return float(np.sqrt(self.statistical_nm**2 + sum(v[0] ** 2 for v in self.systematics.values())))


def mean_pattern(
    upright: UprightPatterns,
    usable: BoolArray,
    gain: float,
    pixel_mrad: float,
    chosen: ThicknessParameters,
    *,
    first_axis: str = "[110]",
) -> MeanPattern:
    """Average a scan's patterns and turn their pixels into the crystal's frame.

    Parameters
    ----------
    upright : UprightPatterns
        Of the scan.
    usable : ndarray of bool
        (slow, fast).
    gain : float
        ADU of an electron.
    pixel_mrad : float
        Of the detector as stored [mrad].
    chosen : ThicknessParameters
        Binning and taper.
    first_axis : str
        Crystal direction of the slow axis, ``[110]`` or ``[1-10]``.
    """
    weights = usable.astype(float)
    if chosen.is_tapered:
        for axis, count in enumerate(usable.shape):
            window = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
            weights *= window[:, None] if axis == 0 else window
    weights = weights.ravel() / weights.sum()
    total, variance = np.zeros(upright.shape[1:]), np.zeros(upright.shape[1:])
    for start in range(0, len(weights), 64):
        part = slice(start, start + 64)
        keep = weights[part] > 0
        if not keep.any():
            continue
        block = upright[part][keep].reshape(int(keep.sum()), -1).astype(np.float64) / gain
        total += (weights[part][keep] @ block).reshape(total.shape)
        variance += (weights[part][keep] ** 2 @ block).reshape(total.shape)
    bins = max(1, round(chosen.pixel_mrad / pixel_mrad))
    height, width = (n // bins * bins for n in total.shape)
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    rest = upright.centre_rest_pixels
    place = pixel_mrad * np.stack(
        [rows - upright.shape[1] // 2 - rest[0], columns - upright.shape[2] // 2 - rest[1]], axis=-1
    )
    turn = np.deg2rad(upright.positions_rotation_deg)
    place = place @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if first_axis == "[1-10]":
        place = place[..., ::-1]

    def summed(values: Any) -> Any:
        cut = values[:height, :width]
        return cut.reshape(height // bins, bins, width // bins, bins, *cut.shape[2:]).sum(axis=(1, 3))

    good = summed(upright.good_pixels.astype(int)) == bins**2
    return MeanPattern(
        summed(total), np.maximum(summed(variance), 0.0), summed(place) / bins**2, bins * pixel_mrad, good
    )


def thickness_of(
    pattern: MeanPattern,
    cone: Cone,
    materials: Sequence[str],
    chosen: ThicknessParameters,
    c_angstrom: float | None = None,
) -> Thickness:
    """Match a mean pattern.

    Parameters
    ----------
    pattern : MeanPattern
        Of the scan.
    cone : Cone
        Voltage and aperture.
    materials : sequence of str
        Of `MATERIALS`, which share the scan's area in a fraction that is free.
    chosen : ThicknessParameters
        See there.
    c_angstrom : float, optional
        Period along the beam; TiO2's where nobody says, to which a film is clamped [angstrom].

    Raises
    ------
    FitFailed
        Too few pixels, or no minimum between the bounds.
    """
    cone = replace(cone, reach_mrad=chosen.reach_mrad)
    period = c_angstrom or rutile("TiO2").c_angstrom
    fit = _Fit(pattern, chosen)
    best = fit.best(_tables(materials, period, cone, chosen, 1.0), cone)
    shift = float("nan")
    if chosen.vibration_fraction > 0:
        nearby = replace(chosen, thickest_nm=min(best.thickness_nm + 3.0, chosen.thickest_nm))
        more = _tables(materials, period, cone, nearby, 1.0 + chosen.vibration_fraction)
        shift = fit.once(more, cone, best).thickness_nm - best.thickness_nm
    return replace(best, vibration_nm=shift)


def _tables(
    materials: Sequence[str], period: float, cone: Cone, chosen: ThicknessParameters, vibration: float
) -> list[BeamTable]:
    clamped = rutile("TiO2")
    lattices = [replace(rutile(m), a_angstrom=clamped.a_angstrom) if m != "TiO2" else clamped for m in materials]
    return [beam_table(lattice, period, cone, chosen.thickest_nm, vibration) for lattice in lattices]


class _Fit:
    """Linear fits of a pattern at each thickness."""

    def __init__(self, pattern: MeanPattern, chosen: ThicknessParameters) -> None:
        self.pattern, self.chosen = pattern, chosen
        length = np.hypot(*np.moveaxis(pattern.place_mrad, -1, 0))
        self.used = pattern.good & (length <= chosen.reach_mrad - 2.0 * pattern.pixel_mrad)
        if self.used.sum() < 100:
            raise FitFailed(
                f"{int(self.used.sum())} pixels within {chosen.reach_mrad:g} mrad", "at least 100",
                "Use the whole detector or smaller bins.",
            )  # fmt: skip
        self.data = pattern.electrons[self.used]
        self.counting = pattern.variance[self.used]
        self.mean = max(float(self.data.mean()), 1e-12)
        rows, columns = np.nonzero(self.used)
        _, self.block = np.unique(rows // BLOCK * 10000 + columns // BLOCK, return_inverse=True)

        self._matrices: dict[tuple[float, float], Any] = {}
        self.centre = (0.0, 0.0)

    def best(self, tables: list[BeamTable], cone: Cone) -> Thickness:
        """Return the least misfit, tilts taken anew as the centre of the linear terms."""
        tilt, error, found = (0.0, 0.0), 0.05, None
        terms: list[FloatArray] = []
        for _ in range(ROUNDS if self.chosen.is_tilted else 1):
            self.centre = tilt
            terms = self.terms(tables, cone, tilt)
            for _ in range(4):
                found, error = self.profile(tables, terms, tilt, error)
            if found is None or np.hypot(found.tilt_mrad[0] - tilt[0], found.tilt_mrad[1] - tilt[1]) < 0.1:
                break
            limit = cone.most_tilt_mrad - TILT_STEP
            tilt = tuple(float(np.clip(value, -limit, limit)) for value in found.tilt_mrad)  # type: ignore[assignment]
        assert found is not None
        bound = [np.delete(term, DIFFUSE, axis=1) for term in terms]
        return replace(found, diffuse_nm=self.profile(tables, bound, tilt, error)[0].thickness_nm - found.thickness_nm)

    def once(self, tables: list[BeamTable], cone: Cone, like: Thickness) -> Thickness:
        """Return the fit to other tables, about the tilt and with the model error of the best one."""
        terms = self.terms(tables, cone, self.centre)
        return self.profile(tables, terms, self.centre, like.model_error_fraction)[0]

    def terms(self, tables: list[BeamTable], cone: Cone, tilt: tuple[float, float]) -> list[FloatArray]:
        """Return for each material (T, P, N): pattern, diffuse included, and its derivatives."""
        return [self._terms(table, cone, tilt) for table in tables]

    def _terms(self, table: BeamTable, cone: Cone, tilt: tuple[float, float]) -> FloatArray:
        pattern = self.pattern
        first = int(np.searchsorted(table.thickness_nm, LEAST_THICKNESS_NM))
        flat = table.intensity[first:].reshape(len(table.thickness_nm) - first, -1).T

        def image(at: tuple[float, float]) -> FloatArray:
            if at not in self._matrices:
                self._matrices[at] = projection(table, pattern.place_mrad, pattern.pixel_mrad, cone, at)
            made = self._matrices[at] @ flat
            return np.asarray(made.T, dtype=np.float64).reshape(-1, *pattern.electrons.shape)

        centre = image(tilt)
        length = np.hypot(*np.moveaxis(pattern.place_mrad, -1, 0))
        diffuse = np.stack([np.interp(length, table.radius_mrad, row) for row in table.diffuse[first:]])
        slope = np.gradient(centre, axis=(1, 2))
        rows, columns = np.indices(length.shape)
        middle = np.unravel_index(int(np.argmin(length)), length.shape)
        stretch = (rows - middle[0]) * slope[0] + (columns - middle[1]) * slope[1]
        around = sum(np.roll(centre, step, axis=axis) for step in (1, -1) for axis in (1, 2)) - 4.0 * centre
        found = [centre + diffuse, diffuse, around, slope[0], slope[1], stretch / 20.0]
        if self.chosen.is_tilted:
            for axis in range(2):
                ends = []
                for sign in (1.0, -1.0):
                    at = [*tilt]
                    at[axis] += sign * TILT_STEP
                    ends.append(image((at[0], at[1])))
                found.append((ends[0] - ends[1]) / (2.0 * TILT_STEP))
        return np.stack([f[:, self.used] for f in found], axis=1)

    def profile(
        self, tables: list[BeamTable], terms: list[FloatArray], tilt: tuple[float, float], error: float
    ) -> tuple[Thickness, float]:
        """Return the minimum over thickness for a model error, and the model error that explains its misfit."""
        nodes = tables[0].thickness_nm[-len(terms[0]) :]
        floor = 1e-4 * self.mean**2 / max(self.mean, 1.0)
        smooth = np.maximum(self.data, 0.05 * self.mean)
        weight = 1.0 / np.sqrt(self.counting + floor + (error * smooth) ** 2)
        chi = np.array([self._solve(_columns([t[i] for t in terms]), weight)[1] for i in range(len(nodes))])
        least, *others = _minima(nodes, chi)
        thick = self._refined(nodes, terms, weight, least)
        columns = _columns([_at(t, nodes, thick) for t in terms])
        coefficients, _ = self._solve(columns, weight)
        rest = self.data - coefficients @ columns
        above, below = (_columns([_at(t, nodes, thick + step) for t in terms]) for step in (SLOPE_NM, -SLOPE_NM))
        slope = coefficients @ (above - below) / (2.0 * SLOPE_NM)
        excess = float((rest**2 - self.counting).sum() / (smooth**2).sum())
        new_error = float(np.sqrt(max(excess, 1e-8)))
        share, moved = self._meaning(coefficients, len(terms))
        image = np.full(self.used.shape, np.nan)
        image[self.used] = coefficients @ columns
        found = Thickness(
            thickness_nm=thick,
            statistical_nm=self._std(np.vstack([slope, columns]), rest, weight),
            vibration_nm=float("nan"),
            diffuse_nm=0.0,
            tilt_mrad=(tilt[0] + moved[0], tilt[1] + moved[1]),
            ruo2_fraction=share,
            reduced_chi_square=float((rest**2 / (self.counting + floor)).mean()),
            model_error_fraction=new_error,
            runner_up_nm=float(nodes[others[0]]) if others else float("nan"),
            runner_up_ratio=float(chi[others[0]] / chi[least]) if others else float("nan"),
            curve_nm=nodes,
            curve=chi / chi.min(),
            model=image,
            planes_nm=float(nodes[1] - nodes[0]) / 2.0 / np.sqrt(12.0),
        )
        return found, new_error

    def _refined(self, nodes: FloatArray, terms: list[FloatArray], weight: FloatArray, least: int) -> float:
        """Return the thickness of the minimum between the nodes about the least one [nm]."""
        fine = np.linspace(nodes[least - 1], nodes[least + 1], FINE)
        chi = [self._solve(_columns([_at(t, nodes, x) for t in terms]), weight)[1] for x in fine]
        curvature, slope, _ = np.polyfit(fine - nodes[least], chi, 2)
        if curvature <= 0:
            return float(nodes[least])
        return float(np.clip(nodes[least] - slope / (2.0 * curvature), fine[0], fine[-1]))

    def _std(self, design: FloatArray, rest: FloatArray, weight: FloatArray) -> float:
        """Return one sigma of the first term's coefficient, residuals of a block of pixels taken as one.

        What the model misses is not independent from pixel to pixel, so the curvature alone would be too sure:
        sum over blocks of (sum of influence times residual)^2, at least what counting gives.
        """
        influence = np.linalg.pinv((design * weight).T)[0] * weight
        blocks = np.bincount(self.block, influence * rest)
        misfit = (blocks**2).sum() * len(blocks) / max(len(blocks) - len(design), 1)
        return float(np.sqrt(max(misfit, (influence**2 * self.counting).sum())))

    def _meaning(self, coefficients: FloatArray, materials: int) -> tuple[float, tuple[float, float]]:
        heads = coefficients[:materials]
        total = max(float(heads.sum()), 1e-12)
        share = float(heads[1] / total) if materials > 1 else float("nan")
        if not self.chosen.is_tilted:
            return share, (0.0, 0.0)
        return share, (float(coefficients[-2] / total), float(coefficients[-1] / total))

    def _solve(self, columns: FloatArray, weight: FloatArray) -> tuple[FloatArray, float]:
        scale = np.sqrt(((columns * weight) ** 2).sum(axis=1)) + 1e-30
        design = (columns * weight / scale[:, None]).T
        target = self.data * weight
        normal = design.T @ design + 1e-9 * np.eye(len(scale))
        found = np.linalg.solve(normal, design.T @ target)
        rest = target - design @ found
        return found / scale, float(rest @ rest)


def _minima(nodes: FloatArray, chi: FloatArray) -> list[int]:
    """Return where the misfit has its minima, the least first.

    Raises
    ------
    FitFailed
        It has none between the bounds, or a bound lies lower.
    """
    inner = [i for i in range(1, len(chi) - 1) if chi[i] <= chi[i - 1] and chi[i] <= chi[i + 1]]
    found = sorted(inner, key=lambda i: float(chi[i]))
    if not found or chi[found[0]] > min(chi[0], chi[-1]):
        raise FitFailed(
            f"a misfit that is least at {nodes[int(np.argmin(chi))]:.1f} nm, a bound",
            f"a minimum between {nodes[0]:.1f} and {nodes[-1]:.1f} nm",
            "Set thickest_nm, or write sample_thickness_nm into the sidecar.",
        )
    return found


def projection(
    table: BeamTable, place_mrad: FloatArray, pixel_mrad: float, cone: Cone, tilt: tuple[float, float]
) -> Any:
    """Return the sparse matrix (Y X, H I J) from the beams of a table to the pixels of a detector.

    Each beam's direction within the cone is interpolated from the table's by Catmull-Rom cubics.

    Parameters
    ----------
    table : BeamTable
        Of one material.
    place_mrad : ndarray
        (Y, X, 2) [mrad].
    pixel_mrad : float
        Width over which the aperture's edge is soft [mrad].
    cone : Cone
        Aperture.
    tilt : tuple of float
        Of the crystal (along [110], along [1-10]) [mrad].
    """
    pixels = place_mrad.reshape(-1, 2)
    k = pixels[:, None] - table.beam_mrad[None]
    inside = np.clip((cone.semi_angle_mrad - np.hypot(k[..., 0], k[..., 1])) / pixel_mrad + 0.5, 0.0, 1.0)
    near = np.hypot(*np.moveaxis(place_mrad, -1, 0)).ravel() <= cone.reach_mrad + pixel_mrad
    row, beam = np.nonzero((inside > 0) & near[:, None])
    at = (k[row, beam] + np.array(tilt)) / table.step_mrad
    weights = inside[row, beam]
    whole = np.floor(at).astype(np.intp)
    kernels = [_cubic(at[:, axis] - whole[:, axis]) for axis in range(2)]
    side = table.intensity.shape[-1]
    mirrors = _mirrors(table.beams)
    rows, places, values = [], [], []
    for dy in range(4):
        y = whole[:, 0] + dy - 1
        for dx in range(4):
            x = whole[:, 1] + dx - 1
            folded = mirrors[(y < 0).astype(int), (x < 0).astype(int), beam]
            ok = folded >= 0
            spot = (folded * side + np.minimum(np.abs(y), side - 1)) * side + np.minimum(np.abs(x), side - 1)
            rows.append(row[ok])
            places.append(spot[ok])
            values.append((weights * kernels[0][dy] * kernels[1][dx])[ok])
    shape = (len(pixels), table.intensity.shape[1] * side * side)
    flat = np.concatenate(values).astype(np.float32)
    return csr_matrix((flat, (np.concatenate(rows), np.concatenate(places))), shape=shape)


def _mirrors(beams: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return (2, 2, H) the beam that a mirror of y, of x, of both takes each one to; -1 where there is none."""
    numbers = {(int(h), int(k)): i for i, (h, k) in enumerate(beams)}
    images = [[(h, k) for h, k in beams], [(k, h) for h, k in beams], [(-k, -h) for h, k in beams]]
    images.append([(-h, -k) for h, k in beams])
    found = [[numbers.get((int(h), int(k)), -1) for h, k in image] for image in images]
    return np.array(found, dtype=np.intp).reshape(2, 2, -1)


def _cubic(x: Any) -> list[Any]:
    """Return the four Catmull-Rom weights at x from the second of four nodes (0..1)."""
    return [
        0.5 * (-x + 2.0 * x**2 - x**3),
        0.5 * (2.0 - 5.0 * x**2 + 3.0 * x**3),
        0.5 * (x + 4.0 * x**2 - 3.0 * x**3),
        0.5 * (x**3 - x**2),
    ]


def _at(terms: FloatArray, nodes: FloatArray, thickness_nm: float) -> FloatArray:
    """Return the terms (P, N) at a thickness between the nodes (T)."""
    place = (thickness_nm - nodes[0]) / (nodes[1] - nodes[0])
    low = int(np.clip(np.floor(place), 1, len(nodes) - 3))
    return np.asarray(sum(w * terms[low - 1 + i] for i, w in enumerate(_cubic(place - low))))


def _columns(terms: list[FloatArray]) -> FloatArray:
    """Return the linear terms (P, N): each material's pattern, then derivatives and diffuse of their mean."""
    return np.vstack([*(t[:1] for t in terms), sum(t[1:] for t in terms) / len(terms)])
