"""The paper's own work functions as data, and its arithmetic done again.

Jeong et al., Nat. Commun. (2026), doi 10.1038/s41467-026-69200-x. Only what its text gives in numbers stands here: four
values and their differences, no digitised figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rutile_assets.physics.work_function import baseline

THRESHOLD_EV = 1.0
LENGTHS_NM = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)


@dataclass(frozen=True)
class PublishedPoint:
    """A work function as printed.

    Parameters
    ----------
    thickness_nm, work_function_ev : float
        Of the RuO2 layer, 0 for bulk TiO2 [nm], and as printed [eV]; the paper gives no error.
    locator, words : str
        Where it stands, and the sentence's own words.
    """

    thickness_nm: float
    work_function_ev: float
    locator: str
    words: str


SECTION = "Results and Discussion, Thickness- and Strain-modulation of work-function on metal surface"
PUBLISHED = (
    PublishedPoint(0.0, 4.1, SECTION, "close to the bulk TiO2 value of 4.1 eV (Supplementary Fig. S13)"),
    PublishedPoint(1.5, 4.25, SECTION, "increases from 4.25 eV at t_RuO2 = 1.5 nm"),
    PublishedPoint(3.5, 5.40, SECTION, "to a maximum of 5.40 eV at t_RuO2 = 3.5 nm"),
    PublishedPoint(17.2, 5.05, SECTION, "a gradual linear increase, reaching 5.05 eV at 17.2 nm"),
)


@dataclass(frozen=True)
class PaperArithmetic:
    """What follows from the printed points.

    Parameters
    ----------
    modulation_ev : float
        Largest less smallest work function of the films [eV].
    linear_component_ev : float
        At the peak, over the straight line from bulk TiO2 to the thickest film [eV].
    thinnest_linear_component_ev : float
        The same for the thinnest film [eV].
    saturating_component_ev : dict of float to float
        Saturation length [nm] -> component at the peak over a band that saturates [eV].
    longest_below_nm : float
        The saturation length up to which the component stays below `THRESHOLD_EV` [nm].
    flags : tuple of str
        What of the paper's statement does not follow from its numbers.
    """

    modulation_ev: float
    linear_component_ev: float
    thinnest_linear_component_ev: float
    saturating_component_ev: dict[float, float]
    longest_below_nm: float
    flags: tuple[str, ...]


def component_ev(points: tuple[PublishedPoint, ...], thickness_nm: float, saturation_nm: float = float("inf")) -> float:
    """Return what the printed point at a thickness has over a band from the first to the last point [eV].

    Parameters
    ----------
    points : tuple of PublishedPoint
        In order of thickness, bulk TiO2 first.
    thickness_nm : float
        Of one of them [nm].
    saturation_nm : float
        Length over which the band saturates [nm]; infinite for a straight line.
    """
    first, last = points[0], points[-1]
    here = next(point for point in points if point.thickness_nm == thickness_nm)
    ends = (np.array(first.work_function_ev), np.array(last.work_function_ev), np.array(last.thickness_nm))
    band = baseline(np.array(thickness_nm), *ends, np.array(saturation_nm))
    return float(here.work_function_ev - band)


def paper_arithmetic(points: tuple[PublishedPoint, ...] = PUBLISHED) -> PaperArithmetic:
    """Return the paper's modulation and component, and the component over the band that its text describes.

    The text calls the band's share "a monotonic increase in Phi with film thickness followed by a saturation" and then
    subtracts a straight line; with a band that saturates within 10 nm the component stays below 1 eV.

    Parameters
    ----------
    points : tuple of PublishedPoint
        In order of thickness, bulk TiO2 first.
    """
    films = points[1:]
    peak = max(films, key=lambda point: point.work_function_ev)
    modulation = peak.work_function_ev - min(point.work_function_ev for point in films)
    linear = component_ev(points, peak.thickness_nm)
    bent = {length: component_ev(points, peak.thickness_nm, length) for length in LENGTHS_NM}
    lengths = np.geomspace(0.5, 500.0, 20001)
    below = [component_ev(points, peak.thickness_nm, float(length)) < THRESHOLD_EV for length in lengths[::20]]
    longest = float(lengths[::20][below].max()) if any(below) else 0.0
    flags = []
    if linear > THRESHOLD_EV and min(bent.values()) < THRESHOLD_EV:
        usual = [bent[length] for length in (3.0, 5.0, 8.0)]
        flags.append(
            f"The component exceeds {THRESHOLD_EV:g} eV over a straight line only ({linear:.3f} eV): over a band that "
            f"saturates with 3 to 8 nm it is {min(usual):.2f} to {max(usual):.2f} eV, and the text says it saturates."
        )
    return PaperArithmetic(modulation, linear, component_ev(points, films[0].thickness_nm), bent, longest, tuple(flags))
