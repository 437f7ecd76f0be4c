"""What the paper claims and a lake's numbers can test, as data.

Jeong et al., Nat. Commun. (2026), doi 10.1038/s41467-026-69200-x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rutile_assets.results import published, published_transport

BARE, CAPPED, SUBSTRATE = "RuO2/TiO2", "TiO2/RuO2/TiO2", "TiO2"
PHI, TRANSPORT = published.SECTION, published_transport.SECTION
GROWTH_SECTION = "Results and Discussion, Epitaxial, atomically precise RuO2 heterostructures via hybrid MBE"
IMAGES = "Results and Discussion, Atomic-scale visualization of polar displacements via electron ptychography"
Test = Literal["equals", "at least", "at most"]


@dataclass(frozen=True)
class Ask:
    """A number of the lake.

    Parameters
    ----------
    asset, owner, quantity : str
        The asset that holds it in ``result``, the series that it belongs to, and its name there.
    subjects : tuple of str
        The first of them that there is.
    near_nm : float or None
        Where set, of that film of the series whose layer is nearest to this thickness [nm].
    where : str
        Of a series: "" without a temperature, else the ``warmest`` or the ``coldest``.
    """

    asset: str
    owner: str
    quantity: str
    subjects: tuple[str, ...] = ("",)
    near_nm: float | None = None
    where: Literal["", "warmest", "coldest"] = ""


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper that one number, or two, can test.

    Parameters
    ----------
    statement, locator : str
        What is claimed, and where: section and figure.
    ask : Ask
        The lake's number.
    test : str
        How it is held against `stated`.
    stated, tolerance : float
        The paper's number, and the error that is granted to it, in the unit of the number times `factor`.
    factor, unit : float, str
        Into the paper's unit.
    less, over : Ask or None
        A number that is taken off the first, or that it is divided by.
    upto : float or None
        Of "at least": the upper end of a range.
    """

    statement: str
    locator: str
    ask: Ask
    test: Test
    stated: float
    tolerance: float = 0.0
    factor: float = 1.0
    unit: str = ""
    less: Ask | None = None
    over: Ask | None = None
    upto: float | None = None


def _film(asset: str, owner: str, near_nm: float, quantity: str, *subjects: str) -> Ask:
    return Ask(asset, owner, quantity, subjects or ("",), near_nm)


def _warm(asset: str, owner: str, quantity: str) -> Ask:
    return Ask(asset, owner, quantity, (), None, "warmest")


def _cold(asset: str, owner: str, quantity: str) -> Ask:
    return Ask(asset, owner, quantity, (), None, "coldest")


INTO = ("from TiO2 into RuO2, less the null", "from TiO2 into RuO2")
LAYER = {BARE: ("1 RuO2",), CAPPED: ("2 RuO2", "1 RuO2")}
ONSETS = ("dipole part", "ss part")
SIGMA_B, X0 = "bulk_conductivity_s_per_cm", "line_intercept_nm"
INSIDE = _film("displacement_plane", CAPPED, 3.8, "displacement_peak_pm", *INTO)

CLAIMS = (
    Claim("Sq of the capped 3.8 nm film is 155 pm.", f"{GROWTH_SECTION}; Fig. 1b",
          _film("afm_roughness", CAPPED, 3.8, "roughness_sq_pm"), "equals", 155.0, 40.0, unit="pm"),
    Claim("Images give 3.9 nm, in agreement with XRR (3.8 nm).", f"{IMAGES}; Fig. 1c, S2",
          _film("displacement_plane", CAPPED, 3.8, "ruo2_thickness_nm"), "equals", 0.0, 0.16, unit="nm",
          less=_film("xrr_fit", CAPPED, 3.8, "thickness_nm", *LAYER[CAPPED])),
    Claim("Cations are displaced by about 9 pm out of plane at the interfaces.", f"{IMAGES}; Fig. 1d",
          INSIDE, "equals", 9.0, 2.0, unit="pm"),
    Claim("The displacement points from TiO2 into RuO2.", f"{IMAGES}; Fig. 1c, e", INSIDE, "at least", 0.0, unit="pm"),
    Claim("Sq of uncapped films is around 200 pm.", f"{PHI}; S11, S12",
          _film("afm_roughness", BARE, 3.9, "roughness_sq_pm"), "equals", 200.0, 50.0, unit="pm"),
    Claim("V_CPD spreads by 1.6 mV over a map.", f"{PHI}; S11, S12",
          _film("kpfm_potential", BARE, 3.9, "v_cpd_spread_v"), "equals", 1.6, 0.5, 1e3, "mV"),
    *(Claim(f"The work function is {point.work_function_ev:.2f} eV at {point.thickness_nm:g} nm.", f"{PHI}; Fig. 2b",
            _film("work_function", BARE, point.thickness_nm, "work_function_kpfm_ev"),
            "equals", point.work_function_ev, 0.05, unit="eV") for point in published.PUBLISHED[1:]),
    Claim("The work function of bulk TiO2 is 4.1 eV.", f"{PHI}; S13",
          _film("ups_fit", SUBSTRATE, 0.0, "work_function_ev"), "equals", 4.1, 0.1, unit="eV"),
    Claim("The work function peaks at t_c of about 4 nm.", f"{PHI}; Fig. 2b",
          Ask("work_function", BARE, "work_function_peak_thickness_nm"), "equals", 4.0, 0.5, unit="nm"),
    Claim("The maximum is at 3.5 nm.", f"{PHI}; Fig. 2b",
          Ask("work_function", BARE, "work_function_peak_thickness_nm"), "equals", 3.5, 0.1, unit="nm"),
    Claim("The work function is modulated by about 1.15 eV.", f"{PHI}; Fig. 3",
          Ask("work_function", BARE, "work_function_modulation_ev"), "equals", 1.15, 0.05, unit="eV"),
    Claim("Over a straight band the polarization-induced component exceeds 1 eV.", f"{PHI}; S15",
          Ask("work_function", BARE, "polarization_component_ev", ("linear",)), "at least", 1.0, unit="eV"),
    Claim("Over a band that saturates, as the text says it does, the component exceeds 1 eV.", f"{PHI}; Fig. 2e",
          Ask("work_function", BARE, "polarization_component_ev", ("saturating",)), "at least", 1.0, unit="eV"),
    Claim("At 4 nm the film is fully strained along [001].", f"{PHI}; Fig. 2c",
          _film("rsm_fit", BARE, 4.0, "relaxation_001_fraction"), "equals", 0.0, 0.02),
    Claim("At 6.5 nm the film is partially relaxed along [001].", f"{PHI}; Fig. 2d",
          _film("rsm_fit", BARE, 6.5, "relaxation_001_fraction"), "at least", 0.02),
    Claim("Relaxation along [001] begins between 4 and 6.5 nm.", f"{PHI}; Figs. 2c, d, S10",
          Ask("onset", BARE, "relaxation_onset_nm", ("[001]",)), "at least", 4.0, unit="nm", upto=6.5),
    Claim("Tension along [1-10] persists up to 17 nm.", f"{PHI}; S10d",
          _film("rsm_fit", BARE, 17.2, "relaxation_1m10_fraction"), "at most", 0.98),
    Claim("The second harmonic's symmetry changes at about 4 nm.", f"{PHI}; S4",
          Ask("shg_trend", BARE, "shg_onset_nm", ONSETS), "equals", 4.0, 0.5, unit="nm"),
    Claim("sigma_b of films is 15,875 S/cm.", f"{TRANSPORT}; Fig. 4a",
          _warm("conductivity", BARE, SIGMA_B), "equals", 15875.0, 320.0, unit="S/cm"),
    Claim("The line's intercept is 1.59 nm.", f"{TRANSPORT}; Fig. 4a",
          _warm("conductivity", BARE, X0), "equals", 1.59, 0.05, unit="nm"),
    Claim("The interface is 1.59 nm thick.", f"{TRANSPORT}; Fig. 4a",
          _warm("conductivity", BARE, "interface_thickness_nm"), "equals", 1.59, 0.05, unit="nm"),
    Claim("sigma_i is 4,117 S/cm.", TRANSPORT,
          _warm("conductivity", BARE, "interface_conductivity_s_per_cm"), "equals", 4117.0, 400.0, unit="S/cm"),
    Claim("sigma_i is much less than sigma_b.", TRANSPORT,
          _warm("conductivity", BARE, "interface_conductivity_s_per_cm"), "at most", published_transport.MUCH_LESS,
          over=_warm("conductivity", BARE, SIGMA_B)),
    Claim("sigma_b under a cap is 11,700 S/cm.", f"{TRANSPORT}; Fig. 4b",
          _warm("conductivity", CAPPED, SIGMA_B), "equals", 11700.0, 321.0, unit="S/cm"),
    Claim("The intercept under a cap is 0.71 nm.", f"{TRANSPORT}; Fig. 4b",
          _warm("conductivity", CAPPED, X0), "equals", 0.71, 0.05, unit="nm"),
    Claim("sigma_b under a cap is lower than without.", f"{TRANSPORT}; S18",
          _warm("conductivity", CAPPED, SIGMA_B), "at most", 0.0, unit="S/cm",
          less=_warm("conductivity", BARE, SIGMA_B)),
    Claim("The intercept under a cap is smaller than without.", f"{TRANSPORT}; S18",
          _warm("conductivity", CAPPED, X0), "at most", 0.0, unit="nm", less=_warm("conductivity", BARE, X0)),
    Claim("sigma_b rises on cooling.", f"{TRANSPORT}; S18",
          _cold("conductivity", BARE, SIGMA_B), "at least", 0.0, unit="S/cm",
          less=_warm("conductivity", BARE, SIGMA_B)),
    Claim("The intercept rises on cooling.", f"{TRANSPORT}; S18",
          _cold("conductivity", BARE, X0), "at least", 0.0, unit="nm", less=_warm("conductivity", BARE, X0)),
    Claim("The mobility of films peaks near 3.5 nm.", f"{TRANSPORT}; Fig. 4e",
          _warm("carriers", BARE, "mobility_peak_thickness_nm"), "equals", 3.5, 0.3, unit="nm"),
    Claim("The sheet density of films dips near 3.5 nm.", f"{TRANSPORT}; Fig. 4c",
          _warm("carriers", BARE, "density_dip_thickness_nm"), "equals", 3.5, 0.3, unit="nm"),
    Claim("The sheet density of films above 4 nm grows with thickness.", f"{TRANSPORT}; Fig. 4c",
          _warm("carriers", BARE, "carrier_density_per_cm3"), "at least", 0.0, unit="1/cm³"),
    Claim("The mobility under a cap peaks at 1.9 nm.", f"{TRANSPORT}; Fig. 4f",
          _warm("carriers", CAPPED, "mobility_peak_thickness_nm"), "equals", 1.9, 0.3, unit="nm"),
)  # fmt: skip
