"""Photoelectron spectra of a simulated surface: secondaries with a cut-off, valence band, Fermi edge, satellite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.simulation.realism import Realism

FloatArray = npt.NDArray[np.float64]

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
HE_I_EV, HE_I_BETA_EV = 21.2180, 23.0870
KT_300_EV = 0.025852
FINE_EV = 0.002
GOLD_EV = 5.1
# centre, width, height of Gaussian bands below the Fermi level [eV, eV, of the secondaries' maximum]; chosen
BANDS = ((-4.0, 0.7, 0.12), (-5.6, 1.3, 0.16), (-7.8, 1.2, 0.10))
METAL_DENSITY, BAND_BOTTOM_EV, GAP_EV, TAIL_EV = 0.05, 8.0, 3.0, 0.12


@dataclass(frozen=True)
class UpsSetup:
    """A helium lamp, an analyser and a bias.

    Parameters
    ----------
    binding_start_ev, binding_stop_ev, step_ev : float
        From above the Fermi level to below the cut-off [eV].
    resolution_fwhm_ev : float
        Gaussian, of lamp and analyser [eV].
    peak_counts, background_counts : float
        At the secondaries' maximum, and beyond the Fermi level [counts].
    dwell_s : float
        Time at a point [s].
    bias_v : float
        On the sample; negative speeds the electrons up [V].
    analyser_work_function_ev : float
        Added to the kinetic energies, as vendors do, so that kinetic and binding energy make h nu [eV].
    pass_energy_ev : float
        Of the analyser, for the file's header [eV].
    charging_ev : float
        How far an insulator's levels sink by charging, against the metal beside it [eV].
    """

    binding_start_ev: float = -1.5
    binding_stop_ev: float = 21.0
    step_ev: float = 0.02
    resolution_fwhm_ev: float = 0.12
    peak_counts: float = 2e4
    background_counts: float = 60.0
    dwell_s: float = 0.1
    bias_v: float = -5.0
    analyser_work_function_ev: float = 4.4
    pass_energy_ev: float = 5.0
    charging_ev: float = 0.0

    @property
    def fermi_kinetic_ev(self) -> float:
        """Where the Fermi level appears on a faultless axis [eV]."""
        return HE_I_EV - self.bias_v


@dataclass(frozen=True)
class Surface:
    """What is true of a surface's spectrum.

    Parameters
    ----------
    work_function_ev : float
        Vacuum level above the Fermi level [eV].
    is_metal : bool
        Whether it has a Fermi edge; else its states begin 3 eV below.
    rise_ev, onset_power : float
        Secondaries begin as 1 - exp(-(x/rise)^power) at x above the vacuum level [eV].
    curvature_per_ev2 : float
        Of the metal's density of states at E_F, relative [1/eV^2].
    """

    work_function_ev: float
    is_metal: bool = True
    rise_ev: float = 0.15
    onset_power: float = 1.0
    curvature_per_ev2: float = 0.0


@dataclass(frozen=True)
class Spectrum:
    """Counts over kinetic energy.

    Parameters
    ----------
    kinetic_energy_ev, counts : ndarray
        (P,) rising energy as the analyser reads it [eV], detected counts.
    """

    kinetic_energy_ev: FloatArray
    counts: FloatArray


def expected_counts(
    surface: Surface, setup: UpsSetup, realism: Realism, *, zero_ev: float = 0.0, gain: float = 1.0
) -> Spectrum:
    """Return the spectrum without noise, computed on a fine grid, blurred there, and read off an imperfect axis.

    Above their onset secondaries fall as a cascade, (1 + x/2.5)^-1.7; the valence band is a sum of broad Gaussians; a
    metal adds a density of states that reaches the Fermi level; He I beta adds a copy moved by 1.869 eV.

    Parameters
    ----------
    surface, setup, realism : Surface, UpsSetup, Realism
        What is measured, with what, in which lab.
    zero_ev, gain : float
        The axis shows (true energy + zero) times gain [eV].
    """
    fine = np.arange(-setup.binding_stop_ev - 1.0, -setup.binding_start_ev + 1.0, FINE_EV)  # energy above E_F
    x = np.maximum(fine + HE_I_EV - surface.work_function_ev, 0.0)
    secondaries = -np.expm1(-((x / surface.rise_ev) ** surface.onset_power)) * (1.0 + x / 2.5) ** -1.7
    valence = np.sum([h * np.exp(-0.5 * ((fine - c) / w) ** 2) for c, w, h in BANDS], axis=0)
    if surface.is_metal:
        bend = np.exp(-((fine / 1.5) ** 4))  # the curvature holds near the Fermi level only
        density = METAL_DENSITY * np.exp(fine / 15.0) / (1.0 + np.exp(-(fine + BAND_BOTTOM_EV) / 0.8))
        valence += density * (1.0 + surface.curvature_per_ev2 * fine**2 * bend)
    edge, width = (0.0, KT_300_EV) if surface.is_metal else (-GAP_EV, TAIL_EV)
    occupied = 0.5 * (1.0 - np.tanh(0.5 * (fine - edge) / width))
    beta = np.interp(fine - (HE_I_BETA_EV - HE_I_EV), fine, valence * occupied)
    seen = np.where(x > 0, (secondaries + valence) * occupied + realism.he_satellite_fraction * beta, 0.0)
    half = int(np.ceil(5.0 * setup.resolution_fwhm_ev / FWHM_PER_SIGMA / FINE_EV))
    kernel = np.exp(-0.5 * (FINE_EV * np.arange(-half, half + 1) * FWHM_PER_SIGMA / setup.resolution_fwhm_ev) ** 2)
    blurred = np.convolve(seen, kernel / kernel.sum(), mode="same")
    shift = setup.fermi_kinetic_ev + zero_ev - (0.0 if surface.is_metal else setup.charging_ev)
    start = round(setup.fermi_kinetic_ev - setup.binding_stop_ev, 2)
    points = round((setup.binding_stop_ev - setup.binding_start_ev) / setup.step_ev) + 1
    kinetic = np.asarray(start + setup.step_ev * np.arange(points), dtype=np.float64)
    rate = np.interp(kinetic / gain - shift, fine, blurred)
    return Spectrum(kinetic, setup.peak_counts * rate / rate.max() + setup.background_counts)


def simulate_ups(
    work_function_ev: float, setup: UpsSetup, realism: Realism, rng: np.random.Generator, *, is_metal: bool = True
) -> tuple[Spectrum, Spectrum | None]:
    """Return a surface's spectrum, and for an insulator that of a gold foil beside it, at the same bias.

    Zero and scale of the analyser's axis, rise and onset of the secondaries and the bend of the density of states are
    drawn: the first two hold for both spectra, the others for each.
    """
    zero_ev = realism.analyser_zero_ev * rng.normal()
    gain = 1.0 + realism.analyser_gain * rng.normal()

    def read(phi_ev: float, metal: bool) -> Spectrum:
        surface = Surface(
            phi_ev,
            metal,
            max(0.04, 0.15 + realism.secondary_rise_ev * rng.normal()),
            max(0.5, 1.0 + realism.secondary_onset_power * rng.normal()),
            realism.density_curvature_per_ev2 * rng.normal(),
        )
        true = expected_counts(surface, setup, realism, zero_ev=zero_ev, gain=gain)
        return Spectrum(true.kinetic_energy_ev, rng.poisson(true.counts).astype(np.float64))

    seen = read(work_function_ev, is_metal)
    if is_metal:
        return seen, None
    gold = read(GOLD_EV, True)
    near = gold.kinetic_energy_ev > gold.kinetic_energy_ev[-1] - 3.5
    return seen, Spectrum(gold.kinetic_energy_ev[near], gold.counts[near])
