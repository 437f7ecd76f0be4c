"""The paper's own transport numbers as data, and its arithmetic done again.

Jeong et al., Nat. Commun. (2026), doi 10.1038/s41467-026-69200-x. Its text gives slopes, intercepts and one interface
conductivity; the films' conductances stand in figures only, so what is fitted here are points on the printed lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.two_channel import interface_thickness_nm, line, two_channel

FloatArray = npt.NDArray[np.float64]

S_PER_S_CM_NM = 1e-7
MUCH_LESS = 0.1  # sigma_i / sigma_b up to which the text's "much less than" may stand
SECTION = "Results and Discussion, Interfacial Polarization Effects on Electrical Transport"


@dataclass(frozen=True)
class PublishedNumber:
    """A number as printed; the paper gives no error.

    Parameters
    ----------
    name : str
        What it is, with its unit.
    value : float
        In that unit.
    locator, words : str
        Where it stands, and the sentence's own words.
    """

    name: str
    value: float
    locator: str
    words: str


PUBLISHED = {
    number.name: number
    for number in (
        PublishedNumber("film_bulk_s_per_cm", 15875.0, SECTION, "yields sigma_b = 15,875 S/cm"),
        PublishedNumber("film_intercept_nm", 1.59, SECTION, "and t_i1 = 1.59 nm"),
        PublishedNumber("film_interface_s_per_cm", 4117.0, SECTION, "we estimate sigma_i1 = 4,117 S/cm"),
        PublishedNumber("representative_nm", 2.1, SECTION, "a representative data point at t_RuO2 = 2.1 nm"),
        PublishedNumber("bulk_s_per_cm", 28400.0, SECTION, "the bulk RuO2 value of 28,400 S/cm (ref. 46)"),
        PublishedNumber("trilayer_bulk_s_per_cm", 11700.0, SECTION, "gives sigma_b = 11,700 S/cm"),
        PublishedNumber("trilayer_intercept_nm", 0.71, SECTION, "thickness t_i1 + t_i2 = 0.71 nm"),
        PublishedNumber("film_mobility_peak_nm", 3.5, SECTION, "mu exhibits a peak near t_RuO2 ~ 3.5 nm"),
        PublishedNumber("film_density_dip_nm", 3.5, SECTION, "n_2D shows a dip ... near t_RuO2 ~ 3.5 nm"),
        PublishedNumber("trilayer_mobility_peak_nm", 1.9, SECTION, "mu shows a peak at t_RuO2 ~ 1.9 nm"),
    )
}


def printed(name: str) -> float:
    """Return a printed number."""
    return PUBLISHED[name].value


@dataclass(frozen=True)
class Flag:
    """A statement of the paper beside what its own numbers give.

    Parameters
    ----------
    name : str
        Short name.
    stated, follows : float
        As printed, and as it follows, in the unit that the sentence names.
    sentence : str
        What is to be said of it.
    """

    name: str
    stated: float
    follows: float
    sentence: str


@dataclass(frozen=True)
class TransportArithmetic:
    """What follows from the printed numbers.

    Parameters
    ----------
    film_line, trilayer_line : (float, float)
        Slope [S/cm] and intercept [nm] of a fit with errors in both variables to points on the printed lines.
    interface_ratio : float
        sigma_i / sigma_b.
    interface_thickness_nm : float
        t_i with the printed sigma_i put back, x0 / (1 - sigma_i/sigma_b) [nm].
    line_at_representative, with_interface : float
        The line at 2.1 nm, and with t_i sigma_i added as the formula says [(S/cm) nm].
    sheet_resistance_ohm : float
        Of the latter [ohm].
    over_line_ratio : float
        The latter over the former.
    solved : (float, float)
        sigma_i [S/cm] and t_i [nm] of that point: thinner than t_i it is interface throughout, sigma_i = sigma_2D / t.
    all_interface, all_interface_over_line_ratio : float
        t sigma_i at 2.1 nm [(S/cm) nm] and over the line: the reading in which the printed numbers agree best, sigma_i
        being sigma_2D / t there.
    film_over_bulk_ratio, trilayer_over_bulk_ratio, trilayer_over_film_ratio : float
        Of the printed sigma_b.
    trilayer_mean_nm, trilayer_literal_nm : float
        T of the trilayer with the printed sigma_i: by the mean over interfaces, and by the sum as printed [nm].
    intercept_planes_count : float
        0.71 nm in (110) planes of bulk RuO2.
    flags : tuple of Flag
        What of the text does not follow.
    """

    film_line: tuple[float, float]
    trilayer_line: tuple[float, float]
    interface_ratio: float
    interface_thickness_nm: float
    line_at_representative: float
    with_interface: float
    sheet_resistance_ohm: float
    over_line_ratio: float
    solved: tuple[float, float]
    all_interface: float
    all_interface_over_line_ratio: float
    film_over_bulk_ratio: float
    trilayer_over_bulk_ratio: float
    trilayer_over_film_ratio: float
    trilayer_mean_nm: float
    trilayer_literal_nm: float
    intercept_planes_count: float
    flags: tuple[Flag, ...]


def fitted_line(thickness_nm: FloatArray, bulk_s_per_cm: float, intercept_nm: float) -> tuple[float, float]:
    """Return slope [S/cm] and intercept [nm] of a fit to points (N,) on a line, 0.05 nm and 2 % given as errors."""
    sigma = line(np.array([bulk_s_per_cm, intercept_nm]), thickness_nm) * S_PER_S_CM_NM
    found = two_channel(thickness_nm, np.full_like(thickness_nm, 0.05), sigma, 0.02 * sigma)
    return found.bulk_s_per_cm, found.intercept_nm


def transport_arithmetic() -> TransportArithmetic:
    """Return the paper's numbers worked out again, and what of its text does not follow from them."""
    bulk, intercept, interface = (printed(f"film_{n}") for n in ("bulk_s_per_cm", "intercept_nm", "interface_s_per_cm"))
    tri, tri_intercept = printed("trilayer_bulk_s_per_cm"), printed("trilayer_intercept_nm")
    at, literature = printed("representative_nm"), printed("bulk_s_per_cm")
    ratio, thickness = interface / bulk, interface_thickness_nm(intercept, bulk, interface)
    on_line = bulk * (at - intercept)
    conducting = on_line + intercept * interface  # sigma_i = (sigma_2D - line) / t_i with the printed t_i
    planes = tri_intercept / rutile("RuO2").d110_nm
    summed = interface_thickness_nm(tri_intercept, tri, 2.0 * interface)
    numbers = TransportArithmetic(
        film_line=fitted_line(np.array([2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2]), bulk, intercept),
        trilayer_line=fitted_line(np.array([1.5, 1.9, 2.5, 3.1, 3.8, 5.0, 7.0]), tri, tri_intercept),
        interface_ratio=ratio,
        interface_thickness_nm=thickness,
        line_at_representative=on_line,
        with_interface=conducting,
        sheet_resistance_ohm=1.0 / (conducting * S_PER_S_CM_NM),
        over_line_ratio=conducting / on_line,
        solved=(conducting / at, interface_thickness_nm(intercept, bulk, conducting / at)),
        all_interface=interface * at,
        all_interface_over_line_ratio=interface * at / on_line,
        film_over_bulk_ratio=bulk / literature,
        trilayer_over_bulk_ratio=tri / literature,
        trilayer_over_film_ratio=tri / bulk,
        trilayer_mean_nm=interface_thickness_nm(tri_intercept, tri, interface),
        trilayer_literal_nm=summed,
        intercept_planes_count=planes,
        flags=(),
    )
    return TransportArithmetic(**{**vars(numbers), "flags": tuple(_flags(numbers))})


def _flags(n: TransportArithmetic) -> list[Flag]:
    at, intercept = printed("representative_nm"), printed("film_intercept_nm")
    flags = []
    if n.interface_ratio > MUCH_LESS:
        flags.append(
            Flag("interface is much less than bulk", MUCH_LESS, n.interface_ratio,
                 f"sigma_i/sigma_b is {n.interface_ratio:.3f}: not much less than 1.")
        )  # fmt: skip
    if n.interface_thickness_nm > at:
        flags.append(
            Flag("interface thickness", intercept, n.interface_thickness_nm,
                 f"1.59 nm is the intercept x0. With sigma_i put back t_i is {n.interface_thickness_nm:.3f} nm: thicker"
                 f" than the {at:g} nm film that sigma_i is taken from, to which the formula does not apply.")
        )  # fmt: skip
    if n.over_line_ratio > 1.1:
        flags.append(
            Flag("representative film", n.line_at_representative, n.with_interface,
                 f"A film of {at:g} nm with sigma_i = {printed('film_interface_s_per_cm'):.0f} S/cm conducts"
                 f" {n.over_line_ratio:.2f} times what the line says: an outlier of the fit that it completes.")
        )  # fmt: skip
    summed, tri = 2.0 * printed("film_interface_s_per_cm"), printed("trilayer_bulk_s_per_cm")
    if summed > MUCH_LESS * tri:
        flags.append(
            Flag("trilayer", printed("trilayer_intercept_nm"), n.trilayer_mean_nm,
                 f"sigma_i1 + sigma_i2 = {summed:.0f} S/cm is {summed / tri:.2f} of sigma_b: with it T is"
                 f" {n.trilayer_mean_nm:.3f} nm (mean over interfaces) or {n.trilayer_literal_nm:.3f} nm (as printed).")
        )  # fmt: skip
    if n.trilayer_over_film_ratio < 0.9:
        flags.append(
            Flag("bulk conductivity", 1.0, n.trilayer_over_film_ratio,
                 f"The same RuO2 conducts {n.trilayer_over_film_ratio:.3f} times as well under a cap: interfaces"
                 " leave a slope as it is, so they do not explain it.")
        )  # fmt: skip
    return flags


def single_band_mobility_cm2_per_vs(conductivity_s_per_cm: float, density_per_cm3: float) -> float:
    """Return sigma / (e n) [cm^2/Vs]."""
    return conductivity_s_per_cm / (ELEMENTARY_CHARGE_C.value * density_per_cm3)
