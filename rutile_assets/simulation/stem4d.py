"""Simulated 4D-STEM of the film's cross-section: EMPAD .raw with its sidecar, the truth apart.

What a fit would not know: frozen phonons, a slice per atomic plane, pixels finer than the detector's, a source of some
size, positions that jitter and drift, counting noise, and a detector that lies to the scan as it likes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import yaml

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation.crystals import Column, Crystal, Displacement, trilayer
from rutile_assets.simulation.multislice import (
    Beam,
    Grid,
    diffract,
    phase_gratings,
    probe,
    propagator,
    slice_distances,
)

FloatArray = npt.NDArray[np.float64]

FOOTER_ROWS = 2
BATCH = 8
COMMENT = "simulated by rutile_assets"


@dataclass(frozen=True)
class Stem4dSetup:
    """Microscope, scan and detector.

    Parameters
    ----------
    beam : Beam
        The incoming electrons.
    detector_pixels : int
        Along each side; EMPAD has 128.
    detector_pixel_mrad : float
        [mrad].
    scan : tuple of int
        (slow, fast) positions.
    step_nm : float
        [nm].
    current_pa, dwell_ms, adu_per_electron : float
        Beam current [pA], time [ms], and what one electron counts.
    thickness_nm : float
        Of the sample, to whole periods along the beam [nm].
    oversampling : float
        Pixels of the simulation over those that the detector's range gives.
    phonons : int
        Frozen configurations that a pattern is the mean of.
    source_fwhm_nm : float
        Of the image of the source on the sample; each configuration stands at another place in it [nm].
    focal_spread_nm : float
        Standard deviation of the focus, in the same way [nm].
    jitter_nm, drift_nm : float
        Standard deviation of each position about the raster, and drift along both axes over the whole scan [nm].
    rotation_deg, transpose : float, bool
        How the detector lies: a momentum (slow, fast) is first swapped where `transpose`, then turned from rows
        towards columns by the angle.
    poisson : bool
        Whether electrons are counted, or their expectation is written.
    """

    beam: Beam = field(default_factory=Beam)
    detector_pixels: int = 128
    detector_pixel_mrad: float = 0.78
    scan: tuple[int, int] = (12, 12)
    step_nm: float = 0.0886
    current_pa: float = 12.0
    dwell_ms: float = 1.0
    adu_per_electron: float = 250.0
    thickness_nm: float = 10.06
    oversampling: float = 1.5
    phonons: int = 4
    source_fwhm_nm: float = 0.03
    focal_spread_nm: float = 0.0
    jitter_nm: float = 0.001
    drift_nm: float = 0.0
    rotation_deg: float = 0.0
    transpose: bool = False
    poisson: bool = True

    @property
    def electrons(self) -> float:
        """Electrons of one pattern."""
        return 1e-15 * self.current_pa * self.dwell_ms / ELEMENTARY_CHARGE_C.value

    @property
    def orientation(self) -> FloatArray:
        """(2, 2) detector (row, column) = orientation @ (slow, fast)."""
        return orientation(self.rotation_deg, self.transpose)

    @property
    def grid(self) -> Grid:
        """The window that a pattern is computed in: the detector's real-space extent, sampled finer."""
        pixels = 2 * round(self.oversampling * self.detector_pixels / 2)
        extent = self.beam.wavelength_angstrom / (1e-3 * self.detector_pixel_mrad)
        return Grid(pixels, extent / pixels)


# EMPAD files for a demo: half the thickness, two instants; about ten seconds of one core
DEMO = Stem4dSetup(phonons=2, thickness_nm=5.0)
# half the angular sampling, for tests: about two seconds
SMALL = Stem4dSetup(detector_pixels=64, detector_pixel_mrad=1.56, phonons=2, thickness_nm=6.0)


@dataclass(frozen=True)
class Dataset:
    """A simulated scan.

    Parameters
    ----------
    patterns : ndarray
        (slow, fast, Y, X) float32 [ADU].
    setup : Stem4dSetup
        What made it.
    positions_angstrom : ndarray
        (slow, fast, 2) where the probe was, in the crystal's frame (y, x) [angstrom].
    columns : tuple of Column
        In the same frame.
    interfaces_y_angstrom : tuple of float
        In the same frame.
    """

    patterns: npt.NDArray[np.float32]
    setup: Stem4dSetup
    positions_angstrom: FloatArray
    columns: tuple[Column, ...]
    interfaces_y_angstrom: tuple[float, ...]


def orientation(rotation_deg: float, transpose: bool) -> FloatArray:
    """Return the (2, 2) matrix from (slow, fast) to the detector's (row, column)."""
    turn = np.deg2rad(rotation_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(rotation @ (np.array([[0.0, 1.0], [1.0, 0.0]]) if transpose else np.eye(2)))


def film_crystal(setup: Stem4dSetup, displacement: Displacement, ruo2_planes: int = 12) -> tuple[Crystal, FloatArray]:
    """Return a trilayer around the lower interface large enough for a scan, and the scan's first position (y, x).

    The scan is centred on the lower interface [angstrom].
    """
    d = 3.2483
    margin = 0.5 * setup.grid.pixels * setup.grid.pixel_angstrom * (1.5 if setup.rotation_deg % 90 else 1.05)
    slow, fast = (10.0 * setup.step_nm * (n - 1) for n in setup.scan)
    below = int(np.ceil((margin + slow / 2.0) / d)) + 1
    above = max(0, below + 1 - ruo2_planes)
    columns = int(np.ceil((2.0 * margin + fast) / d)) + 2
    crystal = trilayer((below, min(ruo2_planes, below + 1), above), columns, displacement)
    if above == 0:
        crystal = replace(crystal, interfaces_y_angstrom=crystal.interfaces_y_angstrom[:1])
    y = crystal.interfaces_y_angstrom[0] - slow / 2.0
    return crystal, np.array([y, 0.5 * columns * d - fast / 2.0])


def simulate_stem4d(
    setup: Stem4dSetup, crystal: Crystal, first_angstrom: FloatArray, rng: np.random.Generator
) -> Dataset:
    """Scan a crystal.

    Parameters
    ----------
    setup : Stem4dSetup
        Microscope, scan and detector.
    crystal : Crystal
        Its columns; it has to reach half a window beyond the scan, else the beam meets vacuum there.
    first_angstrom : ndarray
        (2) first position (y, x) in the crystal's frame [angstrom].
    rng : Generator
        Of phonons, source, jitter and counting.

    Returns
    -------
    Dataset
        Every pattern is the mean over `phonons` instants, then counted.
    """
    if setup.phonons < 1 or min(setup.scan) < 1 or setup.oversampling < 1.0:
        raise InvalidRecord(f"{setup.phonons} phonons, scan {setup.scan}", "at least one of each", "Ask for more.")
    grid, turn = setup.grid, setup.orientation
    positions = _positions(setup, first_angstrom, rng)
    on_detector = positions.reshape(-1, 2) @ turn.T
    corner = on_detector.min(axis=0) - 0.5 * grid.pixels * grid.pixel_angstrom - 2.0
    far = on_detector.max(axis=0) + 0.5 * grid.pixels * grid.pixel_angstrom + 2.0
    area = tuple(_fast_size(int(np.ceil(extent / grid.pixel_angstrom))) for extent in far - corner)
    turned = replace(crystal, columns=tuple(_turned(c, turn, corner) for c in crystal.columns))
    periods = max(1, round(10.0 * setup.thickness_nm / crystal.period_angstrom))
    distances = slice_distances(crystal, periods)
    onwards = {d: propagator(setup.beam, grid, d) for d in {*distances, 0.0}}
    chain = [onwards[d] for d in distances[:-1]] + [onwards[0.0]]
    mean = np.zeros((len(on_detector), setup.detector_pixels, setup.detector_pixels))
    with torch.no_grad():
        for _ in range(setup.phonons):
            gratings = phase_gratings(
                turned, periods, (area[0], area[1]), grid.pixel_angstrom, setup.beam.accelerating_voltage_kv, rng
            )
            source = 10.0 * setup.source_fwhm_nm / 2.3548 * rng.standard_normal(2)
            wave = probe(setup.beam, grid, setup.focal_spread_nm * float(rng.standard_normal()))
            at = (on_detector + source - corner) / grid.pixel_angstrom - grid.pixels // 2
            for start in range(0, len(at), BATCH):
                part = slice(start, start + BATCH)
                mean[part] += _patterns(wave, gratings, at[part], chain, setup) / setup.phonons
    expected = setup.electrons * mean
    counted = rng.poisson(expected) if setup.poisson else expected
    patterns = (setup.adu_per_electron * counted).astype(np.float32)
    shape = (*setup.scan, setup.detector_pixels, setup.detector_pixels)
    return Dataset(patterns.reshape(shape), setup, positions, crystal.columns, crystal.interfaces_y_angstrom)


def write_dataset(dataset: Dataset, inbox: Path, truth: Path, name: str) -> tuple[Path, Path, Path]:
    """Write ``<name>.raw`` and ``<name>.raw.yaml`` into a folder of the inbox, ``<name>.json`` into the truth's.

    Raises
    ------
    InvalidRecord
        The patterns are not 128 x 128: an EMPAD has no other; `sidecar` and numpy's .npy serve those.
    """
    raw, side, apart = inbox / f"{name}.raw", inbox / f"{name}.raw.yaml", truth / f"{name}.json"
    for folder in (inbox, truth):
        folder.mkdir(parents=True, exist_ok=True)
    raw.write_bytes(empad_bytes(dataset.patterns))
    side.write_bytes(sidecar(dataset.setup))
    apart.write_text(json.dumps(truth_of(dataset), indent=1) + "\n", encoding="utf-8")
    return raw, side, apart


def empad_bytes(patterns: npt.NDArray[np.float32]) -> bytes:
    """Return EMPAD frames of patterns (slow, fast, 128, 128): two rows of footer behind each."""
    if patterns.shape[-2:] != (128, 128):
        raise InvalidRecord(f"patterns of {patterns.shape[-2:]}", "128 x 128", "Write them as .npy.")
    footer = np.zeros((*patterns.shape[:2], FOOTER_ROWS, 128), dtype=np.float32)
    return np.concatenate([patterns, footer], axis=2).astype("<f4").tobytes()


def sidecar(setup: Stem4dSetup) -> bytes:
    """Return the sidecar: what the operator knows, not how the detector lies."""
    said: Mapping[str, object] = {
        "accelerating_voltage_kv": setup.beam.accelerating_voltage_kv,
        "convergence_semi_angle_mrad": setup.beam.convergence_semi_angle_mrad,
        "detector_pixel_mrad": setup.detector_pixel_mrad,
        "scan_shape": list(setup.scan),
        "scan_step_nm": setup.step_nm,
        "overfocus_nm": setup.beam.overfocus_nm,
        "beam_current_pa": setup.current_pa,
        "dwell_time_ms": setup.dwell_ms,
        "adu_per_electron": setup.adu_per_electron,
        "slow_axis": "[110]",
    }
    return f"# {COMMENT}\n{yaml.safe_dump(dict(said), sort_keys=False)}".encode()


def truth_of(dataset: Dataset) -> dict[str, object]:
    """Return all that is true of a dataset, as JSON values; nothing that analyses may read it."""
    return {
        "origin": "simulated",
        "setup": asdict(dataset.setup),
        "positions_angstrom": dataset.positions_angstrom.tolist(),
        "interfaces_y_angstrom": list(dataset.interfaces_y_angstrom),
        "columns": [asdict(column) for column in dataset.columns],
    }


def _positions(setup: Stem4dSetup, first: FloatArray, rng: np.random.Generator) -> FloatArray:
    slow, fast = setup.scan
    y, x = np.meshgrid(np.arange(slow), np.arange(fast), indexing="ij")
    positions = first + 10.0 * setup.step_nm * np.stack([y, x], axis=-1).astype(np.float64)
    time = np.arange(slow * fast).reshape(slow, fast, 1) / max(slow * fast - 1, 1)
    positions = positions + 10.0 * setup.drift_nm * time
    return np.asarray(positions + 10.0 * setup.jitter_nm * rng.standard_normal(positions.shape))


def _patterns(
    wave: torch.Tensor, gratings: torch.Tensor, at: FloatArray, chain: list[torch.Tensor], setup: Stem4dSetup
) -> FloatArray:
    """Return the fractions of electrons (M, Y, X) at windows whose first corner is `at` (M, 2) [pixels]."""
    whole = np.floor(at).astype(np.intp)
    rest = at - whole + wave.shape[-1] // 2
    k = torch.from_numpy(np.fft.fftfreq(wave.shape[-1]).astype(np.float64))
    shift = torch.from_numpy(rest)
    ramp = torch.exp(-2j * np.pi * (k[None, :, None] * shift[:, :1, None] + k[None, None, :] * shift[:, 1:, None]))
    found = torch.fft.fftshift(diffract(wave * ramp.to(torch.complex64), gratings, whole, chain), dim=(-2, -1)).numpy()
    start = wave.shape[-1] // 2 - setup.detector_pixels // 2
    inside = slice(start, start + setup.detector_pixels)
    return np.asarray(found[:, inside, inside], dtype=np.float64)


def _turned(column: Column, turn: FloatArray, corner: FloatArray) -> Column:
    y, x = turn @ np.array([column.y_angstrom, column.x_angstrom]) - corner
    return replace(column, y_angstrom=float(y), x_angstrom=float(x))


def _fast_size(pixels: int) -> int:
    """Return the next size whose prime factors are 2, 3 and 5."""
    size = pixels
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1
