"""Kelvin probe maps: a smooth potential, the topography below it, and what tip and lines add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.simulation.afm import AfmSetup, scanned, surface
from rutile_assets.simulation.noise import gaussian_field
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import FilmTruth
from rutile_assets.simulation.writers.scan import Image

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KpfmSetup:
    """A map.

    Parameters
    ----------
    pixels : int
        On a side.
    size_nm : float
        Of a side [nm].
    patch_sd_v : float
        Standard deviation of the surface's own potential [V]; the paper's maps have 1.6 mV.
    patch_px : float
        Distance at which its autocorrelation has fallen to 1/e [pixels].
    """

    pixels: int = 128
    size_nm: float = 1000.0
    patch_sd_v: float = 1.6e-3
    patch_px: float = 6.0


def potential(setup: KpfmSetup, v_cpd_v: float, realism: Realism, rng: np.random.Generator) -> FloatArray:
    """Return a map of the bias that nulls, applied to the tip.

    The patches' mean over the map is not forced to 0: a map is a sample of its film. The tip's offset is that of this
    map; its drift is linear in time and 0 in the middle of the map.

    Parameters
    ----------
    setup : KpfmSetup
        Size and patches.
    v_cpd_v : float
        The film's (Phi_tip - Phi_sample)/e [V].
    realism : Realism
        Offset and drift of the tip, noise.
    rng : Generator
        Where the numbers come from.

    Returns
    -------
    ndarray
        (Y, X) [V], row 0 at the top and measured first.
    """
    shape = (setup.pixels, setup.pixels)
    patches = setup.patch_sd_v * gaussian_field(shape, setup.patch_px, rng)
    offset, drift = realism.tip_offset_v * rng.normal(), realism.tip_drift_v * rng.normal()
    lines, pixels = rng.normal(size=(setup.pixels, 1)), rng.normal(size=shape)
    time = np.linspace(-0.5, 0.5, setup.pixels)[:, None]
    noise = realism.potential_line_noise_v * lines + realism.potential_noise_v * pixels
    return v_cpd_v + offset + drift * time + patches + noise


def simulate_kpfm(truth: FilmTruth, setup: KpfmSetup, realism: Realism, rng: np.random.Generator) -> tuple[Image, ...]:
    """Return the channels of a nap-mode map: height, amplitude, phase, potential (tip bias that nulls)."""
    afm = AfmSetup(setup.pixels, setup.size_nm)
    height = scanned(surface(afm, truth.sq_pm, realism, rng), realism, rng)
    amplitude = 20.0 + 0.05 * rng.normal(size=height.shape)
    return (
        Image("HeightRetrace", height, "nm"),
        Image("AmplitudeRetrace", amplitude, "nm"),
        Image("PhaseRetrace", 62.0 + 0.1 * rng.normal(size=height.shape), "deg"),
        Image("NapPotentialRetrace", potential(setup, truth.v_cpd_v, realism, rng), "V"),
    )
