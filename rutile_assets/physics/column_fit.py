"""Joint least squares of all atom columns of an image: shapes shared by species, one background, honest covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.ndimage import map_coordinates

from rutile_assets.errors import FitFailed
from rutile_assets.physics.block_tridiagonal import Bordered
from rutile_assets.physics.column_model import PER_COLUMN, PER_SPECIES, Model, Picture, Shapes, picture
from rutile_assets.physics.column_noise import Noise, line_responses, measure_noise, noise_std
from rutile_assets.physics.column_solver import Solved, minimised

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

START_TAIL, START_SHARE = 2.4, 0.13  # tail in cores, and its share


@dataclass(frozen=True)
class ColumnFit:
    """Columns of an image, fitted together.

    Parameters
    ----------
    positions_angstrom : ndarray
        (C, 2) row and column, from the centre of the first pixel [angstrom].
    position_covariance_angstrom2 : ndarray
        (C, 2, 2) of each column by itself [angstrom^2].
    amplitude, amplitude_std : ndarray
        (C,) height above the background, in the image's unit.
    species : tuple of str
        (C,) as they were given.
    shapes : mapping of str to tuple of float
        Species -> standard deviation of core and tail [angstrom], the tail's share of the height, and the core's
        ellipse (`rutile_assets.physics.column_model`).
    shapes_std : mapping of str to tuple of float
        Their standard errors.
    image_model : ndarray
        (Y, X) fitted image.
    residual : ndarray
        (Y, X) image less model, 0 where pixels were not used.
    residual_std : float
        Its standard deviation over the degrees of freedom.
    noise_std : float
        Noise of single pixels, from the image's fourth differences: what the residual would be if the model held and
        the noise were white.
    reduced_chi_square : float
        (residual_std / noise_std)^2.
    noise_gain : tuple of float
        Noise power along rows, along columns and of heights, at the spatial frequencies that tell them, over that of
        white noise of the same variance. All covariances are scaled by it.
    line_jitter_angstrom : tuple of float
        Standard deviation of the offsets of the image's lines, in both directions, as the residual shows it; 0 where it
        shows none. Columns of one plane share it, and covariances hold it [angstrom].
    is_converged : bool
        Positions stood still at the end.
    notes : tuple of str
        What a reader has to know.
    """

    positions_angstrom: FloatArray
    position_covariance_angstrom2: FloatArray
    amplitude: FloatArray
    amplitude_std: FloatArray
    species: tuple[str, ...]
    shapes: dict[str, tuple[float, ...]]
    shapes_std: dict[str, tuple[float, ...]]
    image_model: FloatArray
    residual: FloatArray
    residual_std: float
    noise_std: float
    reduced_chi_square: float
    noise_gain: tuple[float, float, float]
    line_jitter_angstrom: tuple[float, float]
    is_converged: bool
    notes: tuple[str, ...]
    _system: Bordered
    _order: IntArray
    _white_std: float
    _lines: tuple[sparse.csr_array, ...]

    def covariance_angstrom2(self, weights: FloatArray) -> FloatArray:
        """Return the covariance (K, K) of linear combinations of positions [angstrom^2].

        Columns that overlap have correlated errors, so the variance of a displacement or of a plane's mean is not the
        sum of its columns'.

        Parameters
        ----------
        weights : ndarray
            (K, C, 2) of row and column of each atom column; or (K, 2 C) in that order.
        """
        given = np.asarray(weights, dtype=np.float64).reshape(len(weights), -1, 2)
        whole = np.zeros((*given.shape[:2], PER_COLUMN))
        whole[:, :, :2] = given * np.sqrt(self.noise_gain[:2])
        found = self._spread(whole)
        for jitter, response in zip(self.line_jitter_angstrom, self._lines, strict=False):
            moved = jitter * (given.reshape(len(given), -1) @ response)
            found += moved @ moved.T
        return found

    def amplitude_covariance(self, weights: FloatArray) -> FloatArray:
        """Return the covariance (K, K) of linear combinations of heights.

        Parameters
        ----------
        weights : ndarray
            (K, C).
        """
        whole = np.zeros((*weights.shape, PER_COLUMN))
        whole[:, :, 2] = weights * np.sqrt(self.noise_gain[2])
        return self._spread(whole)

    def _spread(self, whole: FloatArray) -> FloatArray:
        right = whole[:, self._order].reshape(len(whole), -1).T
        upper, _ = self._system.solve(right, np.zeros((len(self._system.schur), len(whole))))
        found = right.T @ upper * self._white_std**2
        return np.asarray(0.5 * (found + found.T))


def fit_columns(
    image: FloatArray,
    pixel_angstrom: float,
    start_angstrom: FloatArray,
    species: Sequence[str],
    *,
    start_core_angstrom: float = 0.35,
    background_spacing_angstrom: float = 12.0,
    is_scanned: bool = True,
) -> ColumnFit:
    """Fit position and height of every column, and what they share, all at once.

    Levenberg and Marquardt's method on the exact normal matrix, which is banded because columns far from each other do
    not overlap. Weak assumptions keep what the image does not tell (start positions to 0.3 angstrom, to 0.1 outside the
    image, heights to the height of their species, tails): against columns that are seen they weigh less than a
    thousandth.

    Parameters
    ----------
    image : ndarray
        (Y, X) in any unit, columns bright; NaN where a pixel is not to be used.
    pixel_angstrom : float
        [angstrom].
    start_angstrom : ndarray
        (C, 2) row and column of each column, within about 0.4 angstrom, from the centre of the first pixel [angstrom].
        Columns just outside the image, whose flanks are seen, belong here too.
    species : sequence of str
        (C,) columns of one name share their shape.
    start_core_angstrom : float
        Standard deviation of a column, within a factor of about 1.5 [angstrom].
    background_spacing_angstrom : float
        Of the knots of the one smooth background; infinite for a single cubic.
    is_scanned : bool
        Whether lines of the image may be offset, as those of a scan are; a reconstruction has no lines.

    Returns
    -------
    ColumnFit
        With the covariance of any linear combination of positions.

    Raises
    ------
    FitFailed
        No columns, shapes that disagree, too few pixels, or no minimum.
    """
    values, start = np.asarray(image, dtype=np.float64), np.asarray(start_angstrom, dtype=np.float64)
    valid = np.isfinite(values)
    seen = picture(np.where(valid, values, 0.0), valid, pixel_angstrom, background_spacing_angstrom)
    _check(seen, start, species)
    names, kind = np.unique(np.asarray(species), return_inverse=True)
    model = _start(seen, start, kind.astype(np.intp), len(names), start_core_angstrom)
    solved = minimised(model, seen)
    return _told(solved, seen, [str(name) for name in names], tuple(species), is_scanned)


def _check(picture: Picture, start: FloatArray, species: Sequence[str]) -> None:
    if start.ndim != 2 or start.shape[-1] != 2 or len(start) != len(species) or not len(start):
        raise FitFailed(
            f"start positions of shape {start.shape} and {len(species)} species",
            "(C, 2) and C of them, at least one",
            "Find the columns first.",
        )
    if not np.isfinite(start).all():
        raise FitFailed("start positions that are not finite", "finite ones", "Find the columns again.")
    if int(picture.valid.sum()) < 4 * PER_COLUMN * len(start):
        raise FitFailed(
            f"{int(picture.valid.sum())} pixels for {len(start)} columns",
            "at least twelve pixels a column",
            "Fit fewer columns or a finer image.",
        )


def _start(picture: Picture, start: FloatArray, kind: IntArray, species: int, core: float) -> Model:
    """Return the model at the start: heights read at the columns over a low percentile."""
    used = picture.values[picture.valid]
    floor = float(np.percentile(used, 5.0))
    filled = np.where(picture.valid, picture.values, floor)
    read = map_coordinates(filled, (start / picture.pixel_angstrom).T, order=1, mode="nearest") - floor
    background = np.full(len(picture.splines_y), floor)
    typical = np.array([np.median(read[kind == s]) for s in range(species)])
    round_ = np.zeros((species, 2))
    shapes = Shapes(np.full(species, core), np.full(species, START_TAIL * core), np.full(species, START_SHARE), round_)
    return Model(start.copy(), np.clip(read, 0.2 * typical[kind], 2.0 * typical[kind]), kind, shapes, background)


def _told(solved: Solved, picture: Picture, names: list[str], species: tuple[str, ...], is_scanned: bool) -> ColumnFit:
    model, normal, order = solved.model, solved.normal, solved.order
    residual_std = float(np.sqrt(normal.sum_of_squares / solved.freedom))
    noise = noise_std(picture.values, picture.valid)
    left = measure_noise(solved, picture, is_scanned=is_scanned)
    blocks = np.empty((len(order), PER_COLUMN, PER_COLUMN))
    blocks[order] = left.white_std**2 * solved.system.inverse_blocks(PER_COLUMN)
    blocks *= np.sqrt(np.outer(left.gain, left.gain))
    lines = line_responses(solved, picture) if max(left.line_jitter_angstrom) > 0 else ()
    for jitter, response in zip(left.line_jitter_angstrom, lines, strict=False):
        y, x = response[::2], response[1::2]
        across = y.multiply(x).sum(axis=1)
        squares = [[y.power(2).sum(axis=1), across], [across, x.power(2).sum(axis=1)]]
        blocks[:, :2, :2] += jitter**2 * np.array(squares).transpose(2, 0, 1)
    shared = residual_std * np.sqrt(np.diag(solved.system.corner_inverse()))
    told = model.shapes.vector.reshape(-1, PER_SPECIES)
    told_std = shared[: PER_SPECIES * len(names)].reshape(-1, PER_SPECIES)
    notes = _notes(solved.is_converged, left)
    return ColumnFit(
        positions_angstrom=model.positions_angstrom,
        position_covariance_angstrom2=blocks[:, :2, :2],
        amplitude=model.height,
        amplitude_std=np.sqrt(blocks[:, 2, 2]),
        species=species,
        shapes={name: tuple(row.tolist()) for name, row in zip(names, told, strict=True)},
        shapes_std={name: tuple(row.tolist()) for name, row in zip(names, told_std, strict=True)},
        image_model=picture.values - normal.residual,
        residual=normal.residual,
        residual_std=residual_std,
        noise_std=noise,
        reduced_chi_square=(residual_std / noise) ** 2 if noise > 0 else float("nan"),
        noise_gain=left.gain,
        line_jitter_angstrom=left.line_jitter_angstrom,
        is_converged=solved.is_converged,
        notes=notes,
        _system=solved.system,
        _order=order,
        _white_std=left.white_std,
        _lines=lines,
    )


def _notes(is_converged: bool, left: Noise) -> tuple[str, ...]:
    notes = [] if is_converged else ["The fit was stopped before positions stood still."]
    if max(left.gain) > 1.5:
        notes.append(
            f"The residual is not white: at the columns' spatial frequencies it has {max(left.gain):.1f} times its "
            "mean power; standard errors are scaled for it."
        )
    if max(left.line_jitter_angstrom) > 0:
        y, x = (100.0 * jitter for jitter in left.line_jitter_angstrom)
        notes.append(f"The image's lines jitter by {y:.1f} pm across and {x:.1f} pm along; standard errors hold it.")
    return tuple(notes)
