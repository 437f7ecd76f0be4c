"""Plane waves through a rutile crystal along [001]: what leaves in each Bragg beam, after every period.

A position-averaged pattern is the incoherent sum over the directions k of the incoming cone,
I(q) = sum_g A(q - g) |psi_g(q - g)|^2: moving the probe over whole cells averages every cross term between two
directions to nothing, so overfocus and aberrations drop out. LeBeau et al., Ultramicroscopy 110, 118 (2010),
doi 10.1016/j.ultramic.2009.10.001.

Atoms vibrate independently (Einstein): the mean wave passes a slice as the mean of its transmission,
<exp(i phi)> = exp(i phi) * Gaussian for each atom, which holds to all orders; what the mean lacks is diffuse. It is
taken as scattered once, from the beam's intensity on each atom. Shapes: K directions, H beams, T thicknesses, N pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from rutile_assets.physics.crystal import Rutile
from rutile_assets.physics.electrons import electron_form_factor, lorentz_factor, wavelength_angstrom

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
SingleArray = npt.NDArray[np.float32]

# one-dimensional root mean square displacement at room temperature [angstrom]; as ../shared/sim4dstem states them
VIBRATION_ANGSTROM = {"Ti": 0.068, "Ru": 0.058, "O": 0.080}
CELL_PIXELS = 36
FINE_PIXELS = 288
BAND = 2.0 / 3.0
BATCH = 48


@dataclass(frozen=True)
class BeamTable:
    """Beams that leave a crystal for each direction of a plane wave that comes in.

    Parameters
    ----------
    step_mrad : float
        Between directions, which stand at (i, j) times it, i along [110], j along [1-10]; both >= 0 by symmetry [mrad].
    beams : ndarray of int
        (H, 2) indices h, k of the tetragonal cell.
    beam_mrad : ndarray
        (H, 2) along [110] and [1-10] [mrad].
    thickness_nm : ndarray
        (T) [nm].
    intensity : ndarray
        (T, H, I, J) fraction of the electrons; 0 beyond the directions that were asked for.
    diffuse : ndarray
        (T, R) diffuse intensity at `radius_mrad` for a cone of the aperture, in the units of `intensity`.
    radius_mrad : ndarray
        (R) [mrad].
    """

    step_mrad: float
    beams: npt.NDArray[np.intp]
    beam_mrad: FloatArray
    thickness_nm: FloatArray
    intensity: SingleArray
    diffuse: FloatArray
    radius_mrad: FloatArray


@dataclass(frozen=True)
class Cone:
    """The incoming electrons and how far they are followed.

    Parameters
    ----------
    accelerating_voltage_kv, semi_angle_mrad : float
        [kV], [mrad].
    reach_mrad : float
        Largest angle on the detector that is asked for [mrad].
    most_tilt_mrad : float
        Largest tilt of the crystal [mrad].
    step_mrad : float
        Between directions [mrad].
    """

    accelerating_voltage_kv: float
    semi_angle_mrad: float
    reach_mrad: float = 40.0
    most_tilt_mrad: float = 6.0
    step_mrad: float = 1.6


def beam_table(lattice: Rutile, c_angstrom: float, cone: Cone, thickest_nm: float, vibration: float = 1.0) -> BeamTable:
    """Send plane waves through rutile, one slice per atomic plane.

    Parameters
    ----------
    lattice : Rutile
        In-plane lattice and oxygen parameter.
    c_angstrom : float
        Period along the beam [angstrom].
    cone : Cone
        Directions.
    thickest_nm : float
        Last thickness [nm].
    vibration : float
        Factor on the vibrations.
    """
    wave = wavelength_angstrom(cone.accelerating_voltage_kv)
    frequency = np.fft.fftfreq(CELL_PIXELS, 1.0 / CELL_PIXELS)
    h, k = np.meshgrid(frequency, frequency, indexing="ij")
    band = np.hypot(h, k) <= BAND * CELL_PIXELS / 2.0
    in_mrad = 1e3 * wave / (lattice.a_angstrom * np.sqrt(2.0))
    angle = np.stack([(h + k) * in_mrad, (h - k) * in_mrad])
    kept = np.argwhere(band & (np.hypot(*angle) < cone.reach_mrad + cone.semi_angle_mrad + 1.0))
    planes, densities, diffusers = _planes(lattice, cone.accelerating_voltage_kv, vibration)
    side = int(np.ceil((cone.semi_angle_mrad + cone.most_tilt_mrad) / cone.step_mrad)) + 2
    grid = cone.step_mrad * np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1)
    wanted = np.hypot(*np.moveaxis(grid, -1, 0)) <= cone.semi_angle_mrad + cone.most_tilt_mrad + 1.5 * cone.step_mrad
    directions = grid[wanted]
    periods = int(np.ceil(10.0 * thickest_nm / c_angstrom))
    intensity = np.zeros((periods, len(kept), side, side), dtype=np.float32)
    on_atoms = np.zeros((len(directions), periods, 2))
    places = np.argwhere(wanted)
    for start in range(0, len(directions), BATCH):
        part = slice(start, start + BATCH)
        tilt = directions[part][:, :, None, None]
        squared = (angle[0] + tilt[:, 0]) ** 2 + (angle[1] + tilt[:, 1]) ** 2
        onwards = band * np.exp(-0.5e-6j * np.pi * c_angstrom * (squared - squared[:, :1, :1]) / wave)
        onwards = onwards.astype(np.complex64)
        psi = np.ones_like(onwards)
        for period in range(periods):
            for plane, density in zip(planes, densities, strict=True):
                power = (psi.real**2 + psi.imag**2).reshape(len(psi), -1)
                on_atoms[part, period] += power @ density
                outgoing = scipy.fft.fft2(psi * plane, overwrite_x=True) * onwards
                psi = scipy.fft.ifft2(outgoing, overwrite_x=False)
            amplitude = outgoing[:, kept[:, 0], kept[:, 1]] / CELL_PIXELS**2
            rows, columns = places[part].T
            intensity[period][:, rows, columns] = (amplitude.real**2 + amplitude.imag**2).T
    radius, diffuse = _diffuse(directions, on_atoms, diffusers, cone, wave, lattice)
    beams = np.stack([h[tuple(kept.T)], k[tuple(kept.T)]], axis=1).astype(np.intp)
    thickness = 0.1 * c_angstrom * np.arange(1, periods + 1, dtype=np.float64)
    beam_mrad = np.asarray(angle[:, kept[:, 0], kept[:, 1]].T, dtype=np.float64)
    return BeamTable(cone.step_mrad, beams, beam_mrad, thickness, intensity, diffuse, radius)


def _planes(
    lattice: Rutile, accelerating_voltage_kv: float, vibration: float
) -> tuple[list[npt.NDArray[np.complex64]], list[SingleArray], dict[str, tuple[FloatArray, FloatArray]]]:
    """Return the mean transmission (N, N) of both planes, where their atoms are (N^2, 2), and their diffuse power.

    The last is element -> (spatial frequency, |F|^2 - |<F>|^2) with F the transform of exp(i phi) - 1 [angstrom^4].
    """
    a, u = lattice.a_angstrom, lattice.u
    atoms = (
        ((lattice.metal, 0.0, 0.0), ("O", u, u), ("O", -u, -u)),
        ((lattice.metal, 0.5, 0.5), ("O", 0.5 + u, 0.5 - u), ("O", 0.5 - u, 0.5 + u)),
    )
    frequency = np.fft.fftfreq(FINE_PIXELS, 1.0 / FINE_PIXELS)
    h, k = frequency[:, None], frequency[None, :]
    length = np.hypot(h, k) / a
    scale = lorentz_factor(accelerating_voltage_kv) * wavelength_angstrom(accelerating_voltage_kv)
    bare, damping, diffusers = {}, {}, {}
    for element in (lattice.metal, "O"):
        phase = np.fft.ifft2(electron_form_factor(element, length)).real * scale * (FINE_PIXELS / a) ** 2
        damping[element] = np.exp(-2.0 * (np.pi * length * vibration * VIBRATION_ANGSTROM[element]) ** 2)
        bare[element] = np.fft.fft2(np.expm1(1j * phase))
        power = np.abs(bare[element] * (a / FINE_PIXELS) ** 2) ** 2 * (1.0 - damping[element] ** 2)
        order = np.argsort(length, axis=None)
        shells, which = np.unique(np.round(length.ravel()[order], 6), return_inverse=True)
        diffusers[element] = (shells, np.bincount(which, power.ravel()[order]) / np.bincount(which))
    small = np.fft.fftfreq(CELL_PIXELS, 1.0 / CELL_PIXELS).astype(np.intp)
    band = np.hypot(small[:, None], small[None, :]) <= BAND * CELL_PIXELS / 2.0
    pick = np.ix_(small, small)
    planes, densities = [], []
    for plane in atoms:
        total = np.ones((FINE_PIXELS, FINE_PIXELS), dtype=complex)
        density = np.zeros((CELL_PIXELS**2, 2), dtype=np.float32)
        for element, y, x in plane:
            ramp = np.exp(-2j * np.pi * (h * y + k * x))
            total *= 1.0 + np.fft.ifft2(bare[element] * damping[element] * ramp)
            smear = np.fft.ifft2((damping[element] * ramp)[pick]).real
            density[:, int(element == "O")] += smear.ravel()
        cut = np.fft.fft2(total)[pick] * band * (CELL_PIXELS / FINE_PIXELS) ** 2
        planes.append(np.fft.ifft2(cut).astype(np.complex64))
        densities.append(density)
    return planes, densities, diffusers


def _diffuse(
    directions: FloatArray, on_atoms: FloatArray, diffusers: dict[str, tuple[FloatArray, FloatArray]], cone: Cone,
    wave: float, lattice: Rutile,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Return radii (R) and the diffuse intensity (T, R), scattered once by the atoms of all periods above."""
    length = np.hypot(*directions.T)
    inside = length <= cone.semi_angle_mrad
    folds = np.where(directions > 0, 2.0, 1.0).prod(axis=1)[inside]
    radius = np.linspace(0.0, cone.reach_mrad + 4.0, 24)
    turn = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    apart = np.sqrt(
        radius[:, None, None] ** 2
        + length[inside][None, :, None] ** 2
        - 2.0 * radius[:, None, None] * length[inside][None, :, None] * np.cos(turn)
    )
    area = (1e-3 * cone.step_mrad / wave) ** 2 / lattice.a_angstrom**2
    total = np.zeros((on_atoms.shape[1], len(radius)))
    for place, element in enumerate((lattice.metal, "O")):
        power = np.interp(1e-3 * apart / wave, *diffusers[element]).mean(axis=2)
        total += np.cumsum(on_atoms[inside, :, place].T @ (folds[:, None] * power.T), axis=0) * area
    return radius, total
