"""The scale of an image from the lattice of its substrate, which is known better than any header."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter, label

from rutile_assets.errors import FitFailed
from rutile_assets.physics.crystal import rutile
from rutile_assets.techniques.haadf.lattice import Waves, find_waves, round_window

FloatArray = npt.NDArray[np.float64]

SRTIO3_NM = 0.3905  # a at room temperature
LARGEST_ERROR = 0.12  # of the header's scale
LARGEST_SHAPE_ERROR = 0.08  # of the axes' ratio, and of their angle in radians
TWO_LAYERS = 0.8  # share of the variance that two brightnesses explain; one bell curve gives 0.64
LEAST_AREA = 0.08
TAPER_PERIODS = 1.0
INDICES = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (1, 2), (2, -1), (1, -2), (2, 2), (2, -2))


@dataclass(frozen=True)
class Scale:
    """What the substrate's lattice says of an image.

    Parameters
    ----------
    scale_error_percent, scale_error_percent_std : float
        Length by the pixel as given over the true length, less one [%].
    axis_angle_deg, axis_angle_deg_std : float
        Between the two axes of the lattice, of which 90 is true [deg].
    axis_ratio, axis_ratio_std : float
        Length of the axis nearer to the rows over the other's, of which 1 is true.
    row_axis_angle_deg : float
        Direction of the axis nearer to the rows' direction, counterclockwise as seen [deg].
    waves : Waves
        As found.
    is_part : bool
        Whether the substrate's part of the image was told apart from the film by its brightness.
    method : str
        In words.
    """

    scale_error_percent: float
    scale_error_percent_std: float
    axis_angle_deg: float
    axis_angle_deg_std: float
    axis_ratio: float
    axis_ratio_std: float
    row_axis_angle_deg: float
    waves: Waves
    is_part: bool
    method: str


def spacing_nm(substrate: str) -> float | None:
    """Return the side of the square in which a substrate's columns stand, seen along its beam axis [nm].

    TiO2 (110) along [001]: d110 = d1-10. SrTiO3 along <100>. None where it is not known here.
    """
    known = {"TiO2": rutile("TiO2").d110_nm, "SrTiO3": SRTIO3_NM}
    return known.get(substrate)


def substrate_scale(image: FloatArray, pixel_nm: float, true_nm: float, normal_angle_deg: float | None = None) -> Scale:
    """Measure the scale of an image.

    Where the image has a brighter film, the darker substrate alone is looked at, and along the interface alone: the
    film strains its neighbours along its normal.

    Parameters
    ----------
    image : ndarray
        (Y, X); NaN where nothing was seen.
    pixel_nm : float
        As given [nm].
    true_nm : float
        `spacing_nm` of the substrate.
    normal_angle_deg : float, optional
        Direction of the film's normal, outwards, counterclockwise from the rows' direction [deg].

    Raises
    ------
    FitFailed
        No lattice, or none like the substrate's within 12 % of the header's scale.
    """
    shape = (image.shape[0], image.shape[1])
    window = _substrate(image, true_nm / pixel_nm, normal_angle_deg)
    waves = find_waves(image, round_window(shape) if window is None else window)
    indices = _indices(waves.frequency_per_px / pixel_nm, true_nm)
    across = None
    if window is not None and normal_angle_deg is not None:
        turn = np.deg2rad(normal_angle_deg)
        across = np.array([np.cos(turn), np.sin(turn)])  # along the interface, (row, column)

    def numbers(flat: FloatArray) -> FloatArray:
        axes = np.linalg.inv(np.linalg.solve(indices, flat.reshape(2, 2)) / pixel_nm)  # columns are the axes [nm]
        lengths = np.hypot(axes[0], axes[1])
        row_like = int(np.argmax(np.abs(axes[1]) / lengths))
        one, other = axes[:, row_like], axes[:, 1 - row_like]
        cosine = one @ other / (np.hypot(*one) * np.hypot(*other))
        size = np.sqrt(lengths[0] * lengths[1] * np.sqrt(1.0 - cosine**2))
        if across is not None:
            size = lengths[int(np.argmax(np.abs(across @ axes) / lengths))]
        turn = np.rad2deg(np.arctan2(-one[0], one[1]))
        angle = np.rad2deg(np.arccos(np.clip(cosine * np.sign(one[1]) * -np.sign(other[0]), -1.0, 1.0)))
        return np.array([100.0 * (size / true_nm - 1.0), angle, lengths[row_like] / lengths[1 - row_like],
                         (turn + 90.0) % 180.0 - 90.0])  # fmt: skip

    flat = waves.frequency_per_px.ravel()
    values = numbers(flat)
    step = 1e-7
    slope = np.column_stack([(numbers(flat + step * e) - numbers(flat - step * e)) / (2.0 * step) for e in np.eye(4)])
    std = np.sqrt(np.diag(slope @ waves.covariance @ slope.T))
    words = "substrate's lattice, periodogram's maxima"
    words += " in its darker part of the image" if window is not None else ""
    words += ", along the interface" if across is not None else ""
    error, angle, ratio, turn = (float(v) for v in values)
    return Scale(
        error, float(std[0]), angle, float(std[1]), ratio, float(std[2]), turn, waves, window is not None, words
    )


def _indices(waves_per_nm: FloatArray, true_nm: float) -> FloatArray:
    """Return the indices (2, 2) of two waves of a square lattice, whatever its orientation."""
    best, least = None, np.inf
    for first in INDICES:
        for second in INDICES:
            matrix = np.array([first, second], dtype=float)
            if abs(np.linalg.det(matrix)) < 0.5:
                continue
            axes = np.linalg.inv(np.linalg.solve(matrix, waves_per_nm))
            lengths = np.hypot(axes[0], axes[1])
            size = abs(np.log(np.sqrt(abs(np.linalg.det(axes))) / true_nm))
            ratio = abs(np.log(lengths[0] / lengths[1]))
            skew = abs(axes[:, 0] @ axes[:, 1]) / (lengths[0] * lengths[1])
            if size < LARGEST_ERROR and max(ratio, skew) < LARGEST_SHAPE_ERROR and size + ratio + skew < least - 1e-9:
                best, least = matrix, size + ratio + skew
    if best is None:
        lengths = " and ".join(f"{1.0 / np.hypot(*wave):.4f}" for wave in waves_per_nm)
        raise FitFailed(
            f"lattice planes {lengths} nm apart", f"those of a square of {true_nm:.4f} nm, within 12 %",
            "Check pixel_nm and the substrate in growth.yaml.",
        )  # fmt: skip
    return best


def _substrate(image: FloatArray, period_px: float, normal_angle_deg: float | None) -> FloatArray | None:
    """Return a window over the substrate, None where the image has one brightness."""
    seen = np.isfinite(image)
    filled = np.where(seen, image, np.nanmean(image))
    smooth = gaussian_filter(filled, 0.7 * period_px)
    inner = seen & (distance_transform_edt(seen) > period_px)
    level, share = _two_levels(smooth[inner])
    if share < TWO_LAYERS:
        return None
    parts, count = label(inner & (smooth < level))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:] / seen.sum()
    large = [i + 1 for i, size in enumerate(sizes) if size > LEAST_AREA]
    if not large:
        return None
    chosen = large[int(np.argmax([sizes[i - 1] for i in large]))]
    if normal_angle_deg is not None:
        turn = np.deg2rad(normal_angle_deg)
        y, x = np.indices(image.shape)
        height = -np.sin(turn) * y + np.cos(turn) * x
        chosen = min(large, key=lambda i: float(height[parts == i].mean()))
    inside = np.pad(parts == chosen, 1)
    depth = distance_transform_edt(inside)[1:-1, 1:-1] / (TAPER_PERIODS * period_px)
    return np.asarray(np.sin(0.5 * np.pi * np.minimum(depth, 1.0)) ** 2)


def _two_levels(values: FloatArray) -> tuple[float, float]:
    """Return the level that parts values best in two, and the share of their variance that it explains (Otsu)."""
    counts, edges = np.histogram(values, 256)
    middles = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    good = (below > 0) & (above > 0)
    if not good.any() or values.std() == 0:
        return float(edges[0]), 0.0
    apart = np.zeros(len(counts))
    apart[good] = sums[good] / below[good] - (sums[-1] - sums[good]) / above[good]
    between = below * above * apart**2 / below[-1] ** 2
    place = int(np.argmax(between))
    return float(edges[place + 1]), float(between[place] / values.var())
