"""Images drawn from known columns of a rutile trilayer along [001], finer than any fit, with the truth beside them.

What a fit would not know: tails that are exponential and not Gaussian, pixels that integrate, columns smeared by a
tilt, a scan that is sheared, turned, bent and jitters from line to line, uneven contamination, heights that differ,
columns that are missing, and noise that may be coloured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation.crystals import NO_DISPLACEMENT, Column, Displacement, trilayer
from rutile_assets.simulation.noise import gaussian_field

FloatArray = npt.NDArray[np.float64]
StringArray = npt.NDArray[np.str_]

D110_TIO2_ANGSTROM = 3.2483
OVERSAMPLING = 3
PAD_ANGSTROM = 8.0
PHASE_HEIGHTS = {"Ti": 7.93, "Ru": 7.93 * 2.0**0.67, "O": 4.03}
HAADF_HEIGHTS = {"Ti": 22.0**1.7 / 100.0, "Ru": 44.0**1.7 / 100.0}


@dataclass(frozen=True)
class Distortion:
    """How an image departs from the sample: of the scan, and of the operator's idea of its scale.

    Parameters
    ----------
    rotation_deg : float
        Of [110] from the rows' direction towards the columns' [deg].
    stretch_y, stretch_x, shear : float
        Sample length over image length along the image's axes less one, and shear.
    bend_pm : float
        Of a parabola over the image's half length in both directions [pm].
    line_jitter_pm : float
        Standard deviation of each line's offset, in both directions [pm].
    """

    rotation_deg: float = 0.0
    stretch_y: float = 0.0
    stretch_x: float = 0.0
    shear: float = 0.0
    bend_pm: float = 0.0
    line_jitter_pm: float = 0.0


@dataclass(frozen=True)
class ColumnImageSetup:
    """What is drawn.

    Parameters
    ----------
    planes : tuple of int
        (110) planes of TiO2, RuO2, TiO2 within the window.
    columns : int
        Cation columns along [1-10] within the window.
    displacement : Displacement
        Of cations against oxygens along [110].
    pixel_angstrom : float
        [angstrom].
    heights : mapping of str to float
        Element -> height of a column; an element that is absent is not seen.
    core_angstrom, tail_angstrom : float
        Standard deviation of the core, and 1/e length of the exponential tail (blurred by the core) [angstrom].
    tail_share : float
        The tail's share of the height.
    height_spread : float
        Relative standard deviation of heights from column to column.
    signal_to_noise : float
        Height of the weakest element over the noise of a pixel.
    noise_correlation_px : float
        0 is white; otherwise the noise is blurred by a Gaussian of so many pixels and scaled back to its variance.
    background : float
        Under everything.
    contamination, contamination_angstrom : float
        Standard deviation of a smooth uneven layer over the weakest element's height, and its correlation length
        [angstrom].
    contaminated_columns, missing_columns : int
        How many have 1.3 times their height, and how many are absent.
    tilt_smear_angstrom : tuple of float
        Vector (y, x) along which every column is smeared evenly [angstrom].
    distortion : Distortion
        Of the image.
    d110_ruo2_angstrom : float
        [angstrom].
    """

    planes: tuple[int, int, int] = (8, 12, 8)
    columns: int = 12
    displacement: Displacement = NO_DISPLACEMENT
    pixel_angstrom: float = 0.1256
    heights: Mapping[str, float] = field(default_factory=lambda: dict(PHASE_HEIGHTS))
    core_angstrom: float = 0.34
    tail_angstrom: float = 0.5
    tail_share: float = 0.13
    height_spread: float = 0.02
    signal_to_noise: float = 30.0
    noise_correlation_px: float = 0.0
    background: float = 0.5
    contamination: float = 0.0
    contamination_angstrom: float = 25.0
    contaminated_columns: int = 0
    missing_columns: int = 0
    tilt_smear_angstrom: tuple[float, float] = (0.0, 0.0)
    distortion: Distortion = field(default_factory=Distortion)
    d110_ruo2_angstrom: float = 3.27


@dataclass(frozen=True)
class ColumnImage:
    """An image and what is true of it; arrays have one entry a column, in the window or up to 1.5 angstrom outside it.

    Parameters
    ----------
    image : ndarray
        (Y, X) with noise.
    pixel_angstrom : float
        As the operator believes it [angstrom].
    noise_std : float
        Of a pixel.
    element : ndarray
        (C,) symbols.
    positions_angstrom : ndarray
        (C, 2) row and column in the image, from the centre of the first pixel [angstrom].
    height : ndarray
        (C,) 0 where a column is missing.
    is_contaminated : ndarray
        (C,) bool.
    site : ndarray
        (C,) "A" or "B" of a cation, "" of oxygen.
    plane_index, row_index : ndarray
        (C,) of the cations along [110] and [1-10], -1 of oxygen; the plane's 0 is the first of the window.
    displacement_pm : ndarray
        (C, 2) of a cation against the mean of its four oxygens along [110] and [1-10] in the sample; NaN of oxygen.
    interface_planes : tuple of float
        Positions of the interfaces between integer planes.
    """

    image: FloatArray
    pixel_angstrom: float
    noise_std: float
    element: StringArray
    positions_angstrom: FloatArray
    height: FloatArray
    is_contaminated: npt.NDArray[np.bool_]
    site: StringArray
    plane_index: npt.NDArray[np.intp]
    row_index: npt.NDArray[np.intp]
    displacement_pm: FloatArray
    interface_planes: tuple[float, ...]


@dataclass(frozen=True)
class _Sample:
    """Columns in the sample's frame: y along [110], x along [1-10], the window's centre at 0 [angstrom]."""

    element: StringArray
    places: FloatArray
    site: StringArray
    plane: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]
    window: FloatArray
    displacement_pm: FloatArray


def draw_columns(setup: ColumnImageSetup, rng: np.random.Generator) -> ColumnImage:
    """Draw an image.

    Parameters
    ----------
    setup : ColumnImageSetup
        What is drawn.
    rng : Generator
        Of heights, flaws, jitter, contamination and noise.

    Raises
    ------
    InvalidRecord
        No planes, or no element to be seen.
    """
    if sum(setup.planes) < 1 or setup.columns < 1 or not setup.heights:
        raise InvalidRecord(f"{setup.planes} planes of {setup.columns} columns", "some of each", "Ask for more.")
    sample = _sample(setup)
    shape = np.round(sample.window / setup.pixel_angstrom).astype(int)
    places = _in_image(sample.places, setup, shape)
    inside = (places > -1.5).all(axis=1) & (places < (shape - 1) * setup.pixel_angstrom + 1.5).all(axis=1)
    seen = np.isin(sample.element, list(setup.heights))
    height = np.array([setup.heights.get(str(element), 0.0) for element in sample.element])
    height = height * (1.0 + setup.height_spread * rng.standard_normal(len(height)))
    flawed = rng.permutation(np.flatnonzero(inside & seen))
    is_contaminated = np.isin(np.arange(len(height)), flawed[: setup.contaminated_columns])
    height[is_contaminated] *= 1.3
    height[flawed[setup.contaminated_columns : setup.contaminated_columns + setup.missing_columns]] = 0.0
    weakest = min(setup.heights.values())
    image = setup.background + _scanned(sample.places[seen], height[seen], setup, shape, rng)
    if setup.contamination > 0:
        layer = gaussian_field((int(shape[0]), int(shape[1])), setup.contamination_angstrom / setup.pixel_angstrom, rng)
        image = image + setup.contamination * weakest * layer
    noise_std = weakest / setup.signal_to_noise
    kept = inside & seen
    return ColumnImage(
        image=image + noise_std * _unit_noise(image.shape, setup.noise_correlation_px, rng),
        pixel_angstrom=setup.pixel_angstrom,
        noise_std=noise_std,
        element=sample.element[kept],
        positions_angstrom=places[kept],
        height=height[kept],
        is_contaminated=is_contaminated[kept],
        site=sample.site[kept],
        plane_index=sample.plane[kept],
        row_index=sample.row[kept],
        displacement_pm=sample.displacement_pm[kept],
        interface_planes=(setup.planes[0] - 0.5, setup.planes[0] + setup.planes[1] - 0.5) if setup.planes[1] else (),
    )


def _sample(setup: ColumnImageSetup) -> _Sample:
    """Return a trilayer that goes on around the window as far as a turn of it may look."""
    d, middle = D110_TIO2_ANGSTROM, setup.d110_ruo2_angstrom
    window = np.array([(setup.planes[0] + setup.planes[2]) * d + setup.planes[1] * middle, setup.columns * d])
    turn = np.deg2rad(setup.distortion.rotation_deg)
    looked_at = np.array([[abs(np.cos(turn)), abs(np.sin(turn))], [abs(np.sin(turn)), abs(np.cos(turn))]]) @ window
    more = np.ceil((1.1 * np.maximum(looked_at - window, 0.0) / 2.0 + PAD_ANGSTROM) / d).astype(int)
    planes = (setup.planes[0] + int(more[0]), setup.planes[1], setup.planes[2] + int(more[0]))
    crystal = trilayer(planes, setup.columns + 2 * int(more[1]), setup.displacement, d110_ruo2_angstrom=middle)
    centre = window / 2.0 + more * d
    places = np.array([[c.y_angstrom, c.x_angstrom] for c in crystal.columns])
    cations = np.array([c.element != "O" for c in crystal.columns])
    index = np.full((2, len(places)), -1, dtype=np.intp)
    across = setup.columns + 2 * int(more[1])
    order = np.arange(int(cations.sum()))
    index[0, cations], index[1, cations] = order // across - more[0], order % across - more[1]
    return _Sample(
        np.array([c.element for c in crystal.columns]),
        places - centre,
        np.array([_site(c) for c in crystal.columns]),
        index[0],
        index[1],
        window,
        _true_displacements(places, cations),
    )


def _site(column: Column) -> str:
    return "" if column.element == "O" else "A" if column.height == 0.0 else "B"


def _true_displacements(places: FloatArray, cations: npt.NDArray[np.bool_]) -> FloatArray:
    """Return each cation against the mean of its four oxygens (C, 2) [pm], NaN where there are not four."""
    found = np.full(places.shape, np.nan)
    oxygens = places[~cations]
    for i in np.flatnonzero(cations):
        near = oxygens[np.hypot(*(oxygens - places[i]).T) < 2.3]
        if len(near) == 4:
            found[i] = 100.0 * (places[i] - near.mean(axis=0))
    return found


def _into_sample(at: FloatArray, setup: ColumnImageSetup, shape: npt.NDArray[np.int_]) -> FloatArray:
    """Return the sample's places (P, 2) that image places (P, 2) show, without jitter [angstrom]."""
    bent = setup.distortion
    half = 0.5 * (shape - 1) * setup.pixel_angstrom
    away = at - half
    affine = np.array([[1.0 + bent.stretch_y, bent.shear], [bent.shear, 1.0 + bent.stretch_x]])
    turn = np.deg2rad(bent.rotation_deg)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    parabola = 0.01 * bent.bend_pm * (away / half.max()) ** 2
    return np.asarray((away @ affine.T + parabola + 0.3 * parabola[:, ::-1]) @ rotation.T)


def _in_image(places: FloatArray, setup: ColumnImageSetup, shape: npt.NDArray[np.int_]) -> FloatArray:
    """Return where the image shows places of the sample (P, 2): the inverse of `_into_sample` by Newton's steps."""
    at = places.copy() + 0.5 * (shape - 1) * setup.pixel_angstrom
    step = 1e-3
    for _ in range(12):
        here = _into_sample(at, setup, shape)
        slope = np.stack(
            [(_into_sample(at + step * axis, setup, shape) - here) / step for axis in np.eye(2)],
            axis=-1,
        )
        at = at + np.linalg.solve(slope, (places - here)[:, :, None])[:, :, 0]
    return at


def _scanned(
    places: FloatArray,
    height: FloatArray,
    setup: ColumnImageSetup,
    shape: npt.NDArray[np.int_],
    rng: np.random.Generator,
) -> FloatArray:
    """Return the columns' image (Y, X): exact on a fine grid of the sample, looked up where the scan stood."""
    pixels = np.argwhere(np.ones(shape, dtype=bool)).astype(np.float64)
    jitter = 0.01 * setup.distortion.line_jitter_pm * rng.standard_normal((int(shape[0]), 2))
    looked = _into_sample(pixels * setup.pixel_angstrom + np.repeat(jitter, shape[1], axis=0), setup, shape)
    step = setup.pixel_angstrom / OVERSAMPLING
    low = looked.min(axis=0) - PAD_ANGSTROM
    size = np.ceil((looked.max(axis=0) + PAD_ANGSTROM - low) / step).astype(int)
    near = ((places > low) & (places < low + size * step)).all(axis=1)
    fine = _fine_image(places[near] - low, height[near], setup, step, size)
    found = map_coordinates(fine, ((looked - low) / step).T, order=5)
    return np.asarray(found.reshape(shape))


def _fine_image(
    places: FloatArray, height: FloatArray, setup: ColumnImageSetup, step: float, size: npt.NDArray[np.int_]
) -> FloatArray:
    """Return the columns' image on a fine grid whose first point is 0, from their Fourier series.

    The core is a Gaussian, the tail exp(-r / length) blurred by the core; both are normalised to their height. Pixels
    integrate over their square, a tilt over its line.
    """
    ky, kx = np.fft.fftfreq(size[0], step), np.fft.fftfreq(size[1], step)
    wanted = np.hypot(*np.meshgrid(ky, kx, indexing="ij")) < min(0.5 / step, 1.9 / setup.core_angstrom)
    rows, cols = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    y, x = ky[rows], kx[cols]
    waves_y, waves_x = (np.exp(-2j * np.pi * np.outer(k, at)) for k, at in zip((y, x), places.T, strict=True))
    k2 = y[:, None] ** 2 + x[None, :] ** 2
    blur = np.exp(-2.0 * np.pi**2 * setup.core_angstrom**2 * k2)
    core = 2.0 * np.pi * setup.core_angstrom**2 * blur
    tail = blur * (1.0 + (2.0 * np.pi * setup.tail_angstrom) ** 2 * k2) ** -1.5
    tail /= _height_of_blurred_tail(setup.core_angstrom, setup.tail_angstrom)
    pixel = np.sinc(y * setup.pixel_angstrom)[:, None] * np.sinc(x * setup.pixel_angstrom)[None, :]
    smear = np.sinc(y[:, None] * setup.tilt_smear_angstrom[0] + x[None, :] * setup.tilt_smear_angstrom[1])
    kernel = ((1.0 - setup.tail_share) * core + setup.tail_share * tail) * pixel * smear
    spectrum = np.zeros(size, dtype=np.complex128)
    spectrum[np.ix_(rows, cols)] = (waves_y * height) @ waves_x.T * kernel
    return np.asarray(np.fft.ifft2(spectrum).real / step**2)


def _height_of_blurred_tail(core_angstrom: float, tail_angstrom: float) -> float:
    """Return the height at the centre of a tail of unit volume: its Fourier transform summed over the plane."""
    k = np.linspace(0.0, 2.5 / core_angstrom, 4001)
    transform = np.exp(-2.0 * (np.pi * core_angstrom * k) ** 2) * (1.0 + (2.0 * np.pi * tail_angstrom * k) ** 2) ** -1.5
    return float(np.trapezoid(2.0 * np.pi * k * transform, k))


def _unit_noise(shape: tuple[int, ...], correlation_px: float, rng: np.random.Generator) -> FloatArray:
    white = rng.standard_normal(shape)
    if correlation_px <= 0:
        return white
    blurred = gaussian_filter(white, correlation_px, mode="wrap")
    return np.asarray(blurred * 2.0 * np.sqrt(np.pi) * correlation_px)
