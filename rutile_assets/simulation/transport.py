"""Van der Pauw and Hall readings of a sheet with four contacts on its edge, swept in field both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import TransportTruth

FloatArray = npt.NDArray[np.float64]

VAN_DER_PAUW = ("vdp_a", "vdp_b")
HALL = "hall"


@dataclass(frozen=True)
class TransportSetup:
    """A field loop.

    Parameters
    ----------
    field_t : float
        Largest mu0 H [T].
    points_per_branch : int
        From +field to -field; the loop comes back.
    seconds_per_point : float
        Time between readings [s].
    excitation_a : float
        Current [A].
    """

    field_t: float = 9.0
    points_per_branch: int = 181
    seconds_per_point: float = 6.0
    excitation_a: float = 1e-5


@dataclass(frozen=True)
class FieldLoop:
    """What the instrument recorded.

    Parameters
    ----------
    time_s, temperature_k, field_t : ndarray
        (P,) time [s], temperature [K], mu0 H [T].
    resistance_ohm : mapping of str to ndarray
        Contact arrangement (``vdp_a``, ``vdp_b``, ``hall``) -> (P,) voltage over current [ohm].
    resistance_std_ohm : mapping of str to float
        The instrument's own estimate of a reading's noise [ohm].
    """

    time_s: FloatArray
    temperature_k: FloatArray
    field_t: FloatArray
    resistance_ohm: Mapping[str, FloatArray]
    resistance_std_ohm: Mapping[str, float]


def van_der_pauw_resistances(sheet_resistance_ohm: float, cross_ratio: float) -> tuple[float, float]:
    r"""Return R_A and R_B of a sheet with four contacts on its edge.

    On a half-plane with contacts a, b, c apart, :math:`R_A = -(R_s/\pi) \ln x` and :math:`R_B = -(R_s/\pi)\ln(1-x)`
    with the cross-ratio :math:`x = b(a+b+c)/((a+b)(b+c))`; every sheet without holes is equivalent to a half-plane
    (van der Pauw, Philips Res. Rep. 13, 1, 1958).

    Parameters
    ----------
    sheet_resistance_ohm : float
        R_s [ohm].
    cross_ratio : float
        Between 0 and 1; 0.5 for a square.
    """
    return (
        -sheet_resistance_ohm / np.pi * np.log(cross_ratio),
        -sheet_resistance_ohm / np.pi * np.log1p(-cross_ratio),
    )


def simulate_transport(
    state: TransportTruth, setup: TransportSetup, realism: Realism, rng: np.random.Generator
) -> FieldLoop:
    """Return a loop of the field from +H to -H and back, with all three contact arrangements read at every field.

    Longitudinal readings carry a magnetoresistance (even in the field) and relative noise. The Hall reading is the
    slope of the density, plus part of the sheet's resistance that misplaced contacts pick up, a constant offset, a
    drift linear in time, and noise.
    """
    down = np.linspace(setup.field_t, -setup.field_t, setup.points_per_branch)
    nominal = np.concatenate([down, down[::-1]])
    points = len(nominal)
    time = setup.seconds_per_point * np.arange(points, dtype=np.float64)
    field = nominal + 2e-4 * rng.normal(size=points)
    temperature = state.temperature_k + realism.temperature_noise_k * rng.normal(size=points)
    cross_ratio = rng.uniform(0.44, 0.56)
    offset, pickup, drift = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.normal()
    growth = 1.0 + realism.magnetoresistance_per_t2 * field**2
    readings: dict[str, FloatArray] = {}
    std: dict[str, float] = {}
    for name, ohm in zip(VAN_DER_PAUW, van_der_pauw_resistances(state.sheet_resistance_ohm, cross_ratio), strict=True):
        std[name] = realism.resistance_noise * ohm
        readings[name] = ohm * growth + std[name] * rng.normal(size=points)
    std[HALL] = realism.hall_noise_ohm
    readings[HALL] = (
        state.hall_slope_ohm_per_t * field
        + realism.hall_pickup * pickup * state.sheet_resistance_ohm * growth
        + realism.hall_offset_ohm * offset
        + realism.hall_drift_ohm * drift * (time / time[-1] - 0.5)
        + realism.hall_noise_ohm * rng.normal(size=points)
    )
    return FieldLoop(time, temperature, field, readings, std)
