"""Line shapes of photoelectron spectra: a metal's Fermi edge and the secondary cut-off, each blurred by a Gaussian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr

from rutile_assets.constants import BOLTZMANN_J_PER_K, ELEMENTARY_CHARGE_C
from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]

BOLTZMANN_EV_PER_K = BOLTZMANN_J_PER_K.value / ELEMENTARY_CHARGE_C.value
FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))
NODES = np.linspace(-5.0, 5.0, 51)
NODE_WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()
THERMAL = np.linspace(-16.0, 16.0, 65)
THERMAL_WEIGHTS = np.cosh(0.5 * THERMAL) ** -2 / (np.cosh(0.5 * THERMAL) ** -2).sum()
DERIVATIVE_WINDOW_EV = 0.06


def fermi_function(energy_ev: FloatArray, temperature_k: float) -> FloatArray:
    """Return the occupation, 1/(exp(E/kT) + 1), at energies (...) [eV] above the Fermi level."""
    return np.asarray(0.5 * (1.0 - np.tanh(0.5 * energy_ev / (BOLTZMANN_EV_PER_K * temperature_k))))


def fermi_shape(
    energy_ev: FloatArray,
    position_ev: float,
    sigma_ev: float,
    temperature_k: float,
    slope_per_ev: float = 0.0,
    curvature_per_ev2: float = 0.0,
) -> FloatArray:
    r"""Return a metal's edge, (Q,).

    .. math:: \int (1 + k e + q e^2)\, f(e, T)\, G_\sigma(E - E_F - e)\, de

    Where the Gaussian is the wider of the two, f is a sum of steps over -df/de and each step is exact (error function);
    where the thermal edge is the wider, the sum goes over the Gaussian. Either sum converges exponentially, so that
    both limits, T -> 0 and sigma -> 0, are met.

    Parameters
    ----------
    energy_ev : ndarray
        (Q,) kinetic energy E [eV].
    position_ev, sigma_ev : float
        E_F; standard deviation of the resolution [eV].
    temperature_k : float
        T [K].
    slope_per_ev, curvature_per_ev2 : float
        k [1/eV] and q [1/eV^2] of the density of states, 1 at E_F.
    """
    off, thermal_ev = energy_ev[:, None] - position_ev, BOLTZMANN_EV_PER_K * temperature_k
    if sigma_ev < 0.5 * thermal_ev:
        e = off - sigma_ev * NODES
        states = 1.0 + e * (slope_per_ev + curvature_per_ev2 * e)
        return np.asarray((states * fermi_function(e, temperature_k)) @ NODE_WEIGHTS)
    z = (thermal_ev * THERMAL - off) / sigma_ev
    below = ndtr(z)
    if slope_per_ev or curvature_per_ev2:
        density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        first = off * below - sigma_ev * density
        second = (off**2 + sigma_ev**2) * below - sigma_ev * (2.0 * off + sigma_ev * z) * density
        below = below + slope_per_ev * first + curvature_per_ev2 * second
    return np.asarray(below @ THERMAL_WEIGHTS)


def cutoff_shape(
    energy_ev: FloatArray, position_ev: float, sigma_ev: float, rise_ev: float, slope_per_ev: float
) -> FloatArray:
    r"""Return the secondaries' onset, (Q,), in closed form.

    .. math:: \int_0^\infty [1 - e^{-x/w}]\, e^{s x}\, G_\sigma(E - E_0 - x)\, dx

    from :math:`\int_0^\infty e^{a x} G dx = e^{a u + a^2\sigma^2/2}\,\Phi(u/\sigma + a\sigma)` at u = E - E_0.

    Parameters
    ----------
    energy_ev : ndarray
        (Q,) kinetic energy E [eV].
    position_ev, sigma_ev : float
        Cut-off E_0; standard deviation of the resolution [eV].
    rise_ev : float
        w, over which the secondaries rise [eV].
    slope_per_ev : float
        s, of the secondaries above [1/eV].
    """
    u = energy_ev - position_ev

    def part(a: float) -> FloatArray:
        return np.asarray(np.exp(a * u + 0.5 * (a * sigma_ev) ** 2 + log_ndtr(u / sigma_ev + a * sigma_ev)))

    return np.asarray(part(slope_per_ev) - part(slope_per_ev - 1.0 / rise_ev))


def power_cutoff_shape(
    energy_ev: FloatArray, position_ev: float, sigma_ev: float, rise_ev: float, slope_per_ev: float, power: float
) -> FloatArray:
    """Return the onset of `cutoff_shape` with 1 - exp(-(x/w)^power) in its place, (Q,), by a sum over the Gaussian.

    Parameters
    ----------
    energy_ev : ndarray
        (Q,) kinetic energy [eV].
    position_ev, sigma_ev, rise_ev, slope_per_ev : float
        As there.
    power : float
        1 begins linearly, above 1 slower, below 1 steeper.
    """
    x = np.maximum(energy_ev[:, None] - position_ev - sigma_ev * NODES, 0.0)
    return np.asarray((-np.expm1(-((x / rise_ev) ** power)) * np.exp(slope_per_ev * x)) @ NODE_WEIGHTS)


def rising_slope(energy_ev: FloatArray, intensity: FloatArray) -> FloatArray:
    """Return the Savitzky-Golay derivative (quadratic) of a spectrum in equal steps, (P,) over rising energy [eV].

    Beyond the ends the spectrum is taken as constant.
    """
    step = float(np.median(np.diff(energy_ev)))
    half = int(np.clip(round(DERIVATIVE_WINDOW_EV / step), 2, max((len(energy_ev) - 1) // 2, 2)))
    places = np.arange(-half, half + 1.0)
    around = np.pad(intensity, half, mode="edge")
    return np.asarray(np.convolve(around, places[::-1], mode="valid") / (np.sum(places**2) * step))


def tangent_cutoff(energy_ev: FloatArray, intensity: FloatArray, window_ev: float) -> float:
    """Return where the tangent at the steepest point meets the mean of the baseline below [eV].

    Parameters
    ----------
    energy_ev, intensity : ndarray
        (P,) over rising kinetic energy [eV].
    window_ev : float
        The line is fitted within this of the steepest point [eV].

    Raises
    ------
    FitFailed
        Too few points about the steepest one, or none below, or a line that does not rise.
    """
    steep = float(energy_ev[int(np.argmax(rising_slope(energy_ev, intensity)))])
    near = np.abs(energy_ev - steep) <= window_ev
    beyond = energy_ev < steep - max(0.45, 3.0 * window_ev)
    if near.sum() < 3 or not beyond.any():
        raise FitFailed(
            f"{int(near.sum())} points on the onset and {int(beyond.sum())} below it",
            "3 points within the tangent's window and a baseline",
            "Measure finer, and to lower kinetic energy.",
        )
    x, y = energy_ev[near] - steep, intensity[near]
    slope = float(np.sum((x - x.mean()) * y) / np.sum((x - x.mean()) ** 2))
    if not slope > 0.0:
        raise FitFailed("a spike where the onset should be", "a rising onset", "Look at the spectrum.")
    offset = float(y.mean() - slope * x.mean())
    return float(steep + (float(np.mean(intensity[beyond])) - offset) / slope)
