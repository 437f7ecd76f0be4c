"""Simulated HAADF series: a sample that drifts is scanned point by point, each frame with another scan rotation.

What a correction would not know: the drift bends within a frame and changes between frames, every line jitters in
both directions, a point is read while the beam moves on, columns have tails and differ in height, electrons count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from rutile_assets.simulation.crystals import NO_DISPLACEMENT, Displacement, trilayer

FloatArray = npt.NDArray[np.float64]

D110_TIO2_ANGSTROM = 3.2483
FINE_ANGSTROM = 0.11
PAD_ANGSTROM = 6.0
HEIGHTS = {"Ti": (22.0 / 44.0) ** 1.7, "Ru": 1.0}


@dataclass(frozen=True)
class HaadfSetup:
    """Sample, scan and detector.

    Parameters
    ----------
    planes : tuple of int
        (110) planes of TiO2, RuO2, TiO2; TiO2 goes on below and above as far as the scans look.
    displacement : Displacement
        Of cations along [110].
    pixels : int
        Of a frame's side.
    pixel_nm : float
        True size of a pixel [nm].
    header_scale_error_percent : float
        What the header says is longer than the truth by this much [%].
    rotations_deg : tuple of float
        Of the frames' fast axis, counterclockwise as the image is seen [deg].
    normal_angle_deg : float
        Direction of [110] outwards at scan rotation 0, counterclockwise from the rows' direction [deg]; 90 is upwards.
    dwell_ms, flyback_ms, pause_s : float
        Time of a pixel and between lines [ms], and between frames [s].
    drift_nm_per_s : tuple of float
        Of the sample along (row, column) at scan rotation 0 [nm/s].
    drift_change : float
        Standard deviation of each frame's velocity about it, relative to its size.
    bend_pm : float
        Standard deviation of the drift's departure from a line within a frame [pm].
    jitter_pm : float
        Standard deviation of each line's offset, in both directions [pm].
    core_angstrom, tail_angstrom, tail_share : float
        Standard deviations of a column's core and wide tail [angstrom], and the tail's share of the height.
    height_spread : float
        Relative standard deviation of heights from column to column.
    electrons : float
        Counted at the top of a Ru column, in one frame.
    background : float
        Over the height of a Ru column.
    """

    planes: tuple[int, int, int] = (12, 12, 12)
    displacement: Displacement = NO_DISPLACEMENT
    pixels: int = 256
    pixel_nm: float = 0.032
    header_scale_error_percent: float = 0.0
    rotations_deg: tuple[float, ...] = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
    normal_angle_deg: float = 90.0
    dwell_ms: float = 0.008
    flyback_ms: float = 0.4
    pause_s: float = 0.5
    drift_nm_per_s: tuple[float, float] = (0.06, -0.04)
    drift_change: float = 0.2
    bend_pm: float = 6.0
    jitter_pm: float = 4.0
    core_angstrom: float = 0.5
    tail_angstrom: float = 1.1
    tail_share: float = 0.15
    height_spread: float = 0.03
    electrons: float = 400.0
    background: float = 0.3

    @property
    def line_ms(self) -> float:
        """From the beginning of a line to that of the next [ms]."""
        return self.pixels * self.dwell_ms + self.flyback_ms

    @property
    def header_pixel_nm(self) -> float:
        """What the file says [nm]."""
        return self.pixel_nm * (1.0 + self.header_scale_error_percent / 100.0)


@dataclass(frozen=True)
class HaadfSeries:
    """Frames and what is true of them.

    Parameters
    ----------
    frames : ndarray
        (K, Y, X) counts.
    lines_nm : ndarray
        (K, Y, 2) where the middle of each line stood on the sample beyond where the scan meant it to [nm]: drift and
        jitter, along (row, column) at scan rotation 0.
    velocity_nm_per_s : ndarray
        (K, 2) of that, the straight line through each frame [nm/s].
    columns_nm : ndarray
        (C, 2) places of the cations about the scan's centre, along (row, column) at scan rotation 0 [nm].
    elements : ndarray
        (C,) symbols.
    """

    frames: FloatArray
    lines_nm: FloatArray
    velocity_nm_per_s: FloatArray
    columns_nm: FloatArray
    elements: npt.NDArray[np.str_]


@dataclass(frozen=True)
class _Scene:
    """The sample's image on a fine grid whose first point is at `low` [angstrom]."""

    image: FloatArray
    low: float
    step: float = FINE_ANGSTROM
    heights: Mapping[str, float] = field(default_factory=lambda: HEIGHTS)

    def at(self, places_angstrom: FloatArray) -> FloatArray:
        """Return the image at places (..., 2)."""
        index = np.moveaxis((places_angstrom - self.low) / self.step, -1, 0)
        return np.asarray(map_coordinates(self.image, index, order=3, mode="nearest"))


def simulate_haadf(setup: HaadfSetup, rng: np.random.Generator) -> HaadfSeries:
    """Scan a series of frames.

    Parameters
    ----------
    setup : HaadfSetup
        What is scanned and how.
    rng : Generator
        Of heights, drift, jitter and counting.
    """
    n, side = setup.pixels, 10.0 * setup.pixel_nm
    lines = _lines_angstrom(setup, rng)
    elements, places, heights = _columns(setup, rng, reach=0.71 * n * side + np.abs(lines).max() + PAD_ANGSTROM)
    scene = _scene(setup, places, heights)
    centred = np.arange(n) - 0.5 * (n - 1)
    within = centred[None, :, None] + np.array([-0.25, 0.25])  # the beam moves on by a pixel while one is read
    frames = []
    for k, rotation in enumerate(setup.rotations_deg):
        slow, fast = axes(rotation)
        drift = _drift_within_a_line(setup, lines[k])
        seen = np.zeros((n, n))
        for part in range(within.shape[2]):
            meant = centred[:, None, None] * side * slow + within[:, :, part, None] * side * fast
            seen += scene.at(meant + lines[k][:, None, :] + centred[None, :, None] * drift) / within.shape[2]
        frames.append(rng.poisson(setup.electrons * np.maximum(seen + setup.background, 0.0)).astype(np.float64))
    rows = centred * setup.line_ms * 1e-3
    velocity = np.array([(0.1 * line * rows[:, None]).sum(axis=0) / (rows**2).sum() for line in lines])
    return HaadfSeries(np.array(frames), 0.1 * lines, velocity, 0.1 * places, elements)


def axes(rotation_deg: float) -> tuple[FloatArray, FloatArray]:
    """Return the slow and the fast axis, along (row, column), of a scan turned counterclockwise as it is seen."""
    turn = np.deg2rad(rotation_deg)
    return np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])


def _lines_angstrom(setup: HaadfSetup, rng: np.random.Generator) -> FloatArray:
    """Return where each line's middle stands beyond what was meant (K, Y, 2), 0 at the middle of the first frame."""
    n, size = setup.pixels, 10.0 * float(np.hypot(*setup.drift_nm_per_s))
    time = (np.arange(n) - 0.5 * (n - 1)) * setup.line_ms * 1e-3
    frame_s = n * setup.line_ms * 1e-3
    mean = 10.0 * np.array(setup.drift_nm_per_s)
    start, found, last = np.zeros(2), [], mean
    for number in range(len(setup.rotations_deg)):
        velocity = mean + setup.drift_change * size * rng.standard_normal(2)
        if number:
            start = start + 0.5 * (last + velocity) * frame_s + mean * setup.pause_s
        phase, waves = rng.uniform(0.0, 2.0 * np.pi, 2), rng.uniform(0.5, 2.0, 2)
        bend = np.sqrt(2.0) * np.sin(2.0 * np.pi * waves * time[:, None] / frame_s + phase)
        jitter = rng.standard_normal((n, 2))
        found.append(start + velocity * time[:, None] + 0.01 * (setup.bend_pm * bend + setup.jitter_pm * jitter))
        last = velocity
    return np.array(found)


def _drift_within_a_line(setup: HaadfSetup, line: FloatArray) -> FloatArray:
    """Return how far the sample moves from pixel to pixel (2,) [angstrom]."""
    centred = np.arange(setup.pixels) - 0.5 * (setup.pixels - 1)
    slope = (centred[:, None] * line).sum(axis=0) / (centred**2).sum()
    return np.asarray(slope * setup.dwell_ms / setup.line_ms)


def _columns(
    setup: HaadfSetup, rng: np.random.Generator, reach: float
) -> tuple[npt.NDArray[np.str_], FloatArray, FloatArray]:
    """Return elements, places about the scan's centre [angstrom] and heights of the cations within reach."""
    across = 2 * int(np.ceil(1.45 * reach / D110_TIO2_ANGSTROM)) + 1
    more = across // 2
    planes = (setup.planes[0] + more, setup.planes[1], setup.planes[2] + more)
    crystal = trilayer(planes, across, setup.displacement)
    cations = [column for column in crystal.columns if column.element in HEIGHTS]
    places = np.array([[c.y_angstrom, c.x_angstrom] for c in cations])
    film = places[[c.element == "Ru" for c in cations]]
    places = places - (np.mean(film, axis=0) if len(film) else places.mean(axis=0))
    turn = np.deg2rad(setup.normal_angle_deg)  # y runs along [110]
    places = places @ np.array([[-np.sin(turn), np.cos(turn)], [np.cos(turn), np.sin(turn)]])
    elements = np.array([c.element for c in cations])
    heights = np.array([HEIGHTS[str(e)] for e in elements])
    heights = heights * (1.0 + setup.height_spread * rng.standard_normal(len(heights)))
    near = (np.abs(places) < reach + PAD_ANGSTROM).all(axis=1)
    return elements[near], places[near], heights[near]


def _scene(setup: HaadfSetup, places: FloatArray, heights: FloatArray) -> _Scene:
    """Return the sum of the columns on a fine grid, exact to the grid's Fourier limit."""
    reach = float(np.abs(places).max())
    size = int(2.0 * reach / FINE_ANGSTROM) + 1
    k = np.fft.fftfreq(size, FINE_ANGSTROM)
    near = np.abs(k) < 1.2 / setup.core_angstrom
    waves_y, waves_x = (np.exp(-2j * np.pi * np.outer(k[near], at + reach)) for at in places.T)
    k2 = k[near][:, None] ** 2 + k[near][None, :] ** 2
    kernel = np.zeros_like(k2)
    for share, width in ((1.0 - setup.tail_share, setup.core_angstrom), (setup.tail_share, setup.tail_angstrom)):
        kernel += share * 2.0 * np.pi * width**2 * np.exp(-2.0 * (np.pi * width) ** 2 * k2)
    spectrum = np.zeros((size, size), dtype=np.complex128)
    spectrum[np.ix_(near, near)] = (waves_y * heights) @ waves_x.T * kernel
    return _Scene(np.fft.ifft2(spectrum).real / FINE_ANGSTROM**2, -reach)
