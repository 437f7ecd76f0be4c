"""What a person may choose about a reflectivity fit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class XrrFitParameters:
    """What a person may choose about a reflectivity fit.

    Parameters
    ----------
    two_theta_min_deg, two_theta_max_deg : float
        Range that is fitted.
    resolution_fwhm_deg : float
        Angular resolution in 2theta where the file's sidecar does not say (``resolution_fwhm_deg``); 0 fits it.
    thickness_range : float
        The nominal thickness may be wrong by this factor, up and down.
    density_tolerance : float
        The density factor of a layer lies within 1 +- this.
    density_std_ratio : float
        How near to its table's density a layer is expected, relative: it tells two layers that could be exchanged.
    roughness_max_nm : float
        Upper bound of every roughness.
    two_theta_zero_std_deg : float
        How well the goniometer's zero is known; the fit may move it at this price.
    adsorbate_nm, adsorbate_std_nm : float
        Air leaves CH2 (1 g/cm3) on a film. Where counting noise limits the fit its thickness is a free parameter, half
        normal with a scale of `adsorbate_std_nm`; elsewhere the shift that a layer of `adsorbate_nm` makes is quoted as
        a systematic. `adsorbate_nm` 0 leaves both out.
    attenuator_std_ratio : float
        How well the factor of each absorber against the thinnest one is known; the fit may move it at this price.
    uncertainty : str
        ``covariance`` or ``mcmc``.
    generations, population : int
        Of the global search.
    mcmc_steps : int
        Kept steps of each walker.
    """

    two_theta_min_deg: float = 0.5
    two_theta_max_deg: float = 20.0
    resolution_fwhm_deg: float = 0.0
    thickness_range: float = 1.5
    density_tolerance: float = 0.15
    density_std_ratio: float = 0.03
    roughness_max_nm: float = 2.0
    two_theta_zero_std_deg: float = 0.005
    adsorbate_nm: float = 0.5
    adsorbate_std_nm: float = 0.3
    attenuator_std_ratio: float = 0.01
    uncertainty: str = "covariance"
    generations: int = 200
    population: int = 90
    mcmc_steps: int = 400
