"""Flags that are judged film by film."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.errors import InvalidRecord
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.elasticity import coherent_spacing_nm
from rutile_assets.physics.work_function import VACUUM_F_PER_M
from rutile_assets.results.consistency_evidence import Evidence, Finding, Stack
from rutile_assets.results.numbers import (
    AGREES,
    DISAGREES,
    SIGMAS,
    UNTOLD,
    Judgement,
    Number,
    at_most,
    exact,
    missing,
    same,
)
from rutile_assets.techniques.shg.model import DIPOLE

THICKNESS_NM = 0.1
SPACING_NM = 0.002
COHERENT_FRACTION = 0.02  # a relaxation below this is none
IDENTITY = 0.01
POTENTIAL_SHARE = 0.03
PHOTOELECTRONS_EV = 1e-3
ANISOTROPY = 1.5
# static, at right angles to c: Parker, Phys. Rev. 124, 1719 (1961), doi 10.1103/PhysRev.124.1719
RUTILE_PERMITTIVITY = 86.0
LOWER = ("lower interface, less the null", "lower interface")

Judged = Iterator[tuple[int, str, Judgement]]


def film_findings(said: Evidence) -> Iterator[Finding]:
    """Yield the findings of every film that has one foreign layer."""
    for stack in said.stacks.values():
        if stack.layer is None:
            continue
        for rules in RULES:
            for flag, comparison, judgement in rules(said, stack):
                yield Finding(flag, stack.growth_id, stack.growth_id, stack.series, comparison, judgement)


def _thicknesses(said: Evidence, stack: Stack) -> Judged:
    """Judge flags 1, 2 and 14: one thickness by three techniques, and the cap's by two."""
    thick, find = said.thickness(stack), said.numbers.find
    film = stack.growth_id
    laue = find("xrd_fit", film, "laue_thickness_nm", "planes times spacing (Laue)", str(stack.layer))
    yield 1, "", _same_or_missing(thick, "XRR thickness", laue, "Laue fit", THICKNESS_NM)
    spacing = _spacing_nm(said, stack)
    seen = find("displacement_plane", film, "ruo2_thickness_nm", "thickness in the image", "", *_kinds(said, film))
    yield 2, "thickness", _same_or_missing(seen, "image with both interfaces", thick, "XRR thickness", 0.5 * spacing)
    count = find("displacement_plane", film, "ru_planes_count", "planes in the image", "", *_kinds(said, film))
    yield 2, "planes", _planes(count, thick, spacing)
    if stack.cap is not None:
        cap = find("xrr_fit", film, "thickness_nm", "XRR thickness of the cap", stack.cap)
        planes = find("xrd_fit", film, "laue_thickness_nm", "planes times spacing of the cap", stack.cap)
        yield 14, "", _same_or_missing(planes, "Laue fit of the cap", cap, "XRR thickness of the cap", THICKNESS_NM)


def _planes(count: Number | None, thick: Number | None, spacing_nm: float) -> Judgement:
    lacking = missing((count, "image with both interfaces"), (thick, "XRR thickness"))
    if lacking is not None or count is None or thick is None:
        return lacking or Judgement(count, thick, UNTOLD)
    planes = thick.times(1.0 / spacing_nm, "XRR thickness over the spacing", "")
    judged = Judgement(count, planes, AGREES, "Rounded to whole planes.")
    if round(count.value) == round(planes.value):
        return judged
    beyond = abs(count.value - planes.value) - 0.5
    std = float(np.hypot(count.std, planes.std))
    if beyond < SIGMAS * std or not np.isfinite(std):
        return replace(judged, verdict=UNTOLD, note="The thickness lies within 2 sigma of the border between counts.")
    return replace(judged, verdict=DISAGREES)


def _spacing(said: Evidence, stack: Stack) -> Judged:
    """Flag 3: the spacing along the normal against elasticity."""
    film, find = stack.growth_id, said.numbers.find
    spacing = find("xrd_fit", film, "plane_spacing_nm", "(110) spacing (Laue)", str(stack.layer))
    first = find("rsm_fit", film, "relaxation_001_fraction", "R along [001]")
    second = find("rsm_fit", film, "relaxation_1m10_fraction", "R along [1-10]")
    lacking = missing((spacing, "Laue fit"), (first, "relaxation along [001]"), (second, "relaxation along [1-10]"))
    if lacking is not None or spacing is None or first is None or second is None:
        yield 3, "", lacking or Judgement(spacing, None, UNTOLD)
        return
    try:
        predicted = elastic(str(stack.material), stack.substrate, first, second)
    except InvalidRecord:
        yield (
            3,
            "",
            Judgement(
                spacing, None, UNTOLD, f"No lattice of {stack.material} or {stack.substrate}.", is_compared=False
            ),
        )
        return
    yield 3, "", same(spacing, predicted, SPACING_NM, 5.0 * SPACING_NM, "TiO2's elastic constants stand in.")


def elastic(material: str, substrate: str, along_c: Number, along_a: Number) -> Number:
    """Return the spacing that elasticity makes of the relaxations R along [001] and [1-10], with their errors [nm].

    Parameters
    ----------
    material, substrate : str
        Rutile oxides of the table in physics/crystal.py.
    along_c, along_a : Number
        R: 0 coherent, 1 relaxed.
    """

    def spacing(r_c: float, r_a: float) -> float:
        return coherent_spacing_nm(rutile(material), rutile(substrate), r_c, r_a)

    middle = spacing(along_c.value, along_a.value)
    slopes = (
        spacing(along_c.value + 1.0, along_a.value) - middle,
        spacing(along_c.value, along_a.value + 1.0) - middle,
    )
    std = float(np.hypot(slopes[0] * along_c.std, slopes[1] * along_a.std))
    return Number("spacing by elasticity", middle, std, "nm", along_c.result_id, along_c.entity_id)


def _relaxation(said: Evidence, stack: Stack) -> Judged:
    """Flag 4, film by film: R along [001] is 0 up to the onset and not beyond."""
    thick, find = said.thickness(stack), said.numbers.find
    relaxed = find("rsm_fit", stack.growth_id, "relaxation_001_fraction", "R along [001]")
    onset = find("onset", stack.series, "relaxation_onset_nm", "onset along [001]", "[001]")
    lacking = missing((relaxed, "relaxation along [001]"), (onset, "onset along [001]"), (thick, "XRR thickness"))
    if lacking is not None or relaxed is None or onset is None or thick is None:
        yield 4, "relaxation", lacking or Judgement(relaxed, None, UNTOLD)
        return
    past = thick.value - onset.value
    std = float(np.sqrt(max(thick.std**2 + onset.std**2 - 2.0 * thick.covariance(onset), 0.0)))
    none = exact("coherent", 0.0, "")
    note = f"The film is {past:+.2f} nm past the onset of its series, which rests on this film, too."
    if abs(past) < SIGMAS * std or not np.isfinite(std + relaxed.std):
        yield 4, "relaxation", Judgement(relaxed, none, UNTOLD, f"{note} That is within 2 sigma.")
        return
    is_relaxed = abs(relaxed.value) > max(COHERENT_FRACTION, SIGMAS * relaxed.std)
    yield 4, "relaxation", Judgement(relaxed, none, AGREES if is_relaxed == (past > 0) else DISAGREES, note)


def _sheet(said: Evidence, stack: Stack) -> Judged:
    """Judge flags 6 and 15: what one film's transport says twice, and whether it is isotropic."""
    film, numbers = stack.growth_id, said.numbers
    density = numbers.warmest("transport_hall", film, "sheet_density_per_cm2", "sheet density")
    label = density[2] if density else ""
    mobility = numbers.find("transport_hall", film, "mobility_cm2_per_vs", "mobility", label)
    sheet = numbers.find("transport_sheet", film, "sigma_2d_s", "sheet conductance", label)
    lacking = missing(
        (sheet, "sheet conductance"), (density[0] if density else None, "sheet density"), (mobility, "mobility")
    )
    if lacking is not None or sheet is None or density is None or mobility is None:
        yield 6, label, replace(lacking or Judgement(sheet, None, UNTOLD), right=None)
    else:
        product = density[0].times(ELEMENTARY_CHARGE_C.value * mobility.value, "e n mu", "S")
        note = "n and mu share the Hall slope, mu the sheet resistance: nothing but R_s is left over."
        left, right = replace(sheet, std=0.0, shifts={}), replace(product, std=0.0, shifts={})
        yield 6, label, same(left, right, IDENTITY * sheet.value, note=note)
    mine = sorted(said.rows("transport_sheet", film), key=lambda row: float(row["temperature_k"]))
    if not mine:
        yield 15, "", Judgement(None, None, UNTOLD, "Missing: sheet resistance.", is_compared=False)
        return
    row = mine[-1]
    ratio = max(row["r_a_ohm"], row["r_b_ohm"]) / max(min(row["r_a_ohm"], row["r_b_ohm"]), 1e-12)
    error = row["sheet_resistance_ohm_std"]
    std = float("nan") if pd.isna(error) else ratio * np.sqrt(2.0) * float(error) / float(row["sheet_resistance_ohm"])
    asked = exact("bound", ANISOTROPY, "")
    yield 15, f"{row['temperature_k']:.4g} K", at_most(Number("R_A over R_B, the larger first", ratio, std), asked)


def _potential(said: Evidence, stack: Stack) -> Judged:
    """Judge flags 9 and 10: the reference's value comes back, and maps tell more than the series moves."""
    film, numbers = stack.growth_id, said.numbers
    if film in said.references:
        here = numbers.find("work_function", film, "work_function_kpfm_ev", "work function on the scale")
        theirs = numbers.find("ups_fit", film, "work_function_ev", "work function by photoelectrons")
        lacking = missing((here, "number on the scale"), (theirs, "photoelectrons of the reference"))
        if lacking is not None or here is None or theirs is None:
            yield 9, "", lacking or Judgement(here, theirs, UNTOLD)
        else:
            left, right = replace(here, std=0.0, shifts={}), replace(theirs, std=0.0, shifts={})
            yield 9, "", same(left, right, PHOTOELECTRONS_EV, note="The same number twice: errors cancel.")
    modulation = numbers.find("work_function", stack.series, "work_function_modulation_ev", "3 % of the modulation")
    bound = None if modulation is None else modulation.times(POTENTIAL_SHARE, "3 % of the modulation", "V")
    means = numbers.all("kpfm_potential", film, "v_cpd_v", "error of the mean potential")
    means = {subject: n for subject, n in means.items() if not subject.startswith("map ")}
    for subject, mean in means.items():
        error = replace(mean, value=mean.std, std=0.0, shifts={}) if np.isfinite(mean.std) else None
        lacking = missing((error, "error of the mean potential"), (bound, "modulation of the series"))
        if lacking is not None or error is None or bound is None:
            yield 10, subject, lacking or Judgement(error, bound, UNTOLD)
        else:
            yield 10, subject, at_most(error, bound)
    if not means:
        yield 10, "", Judgement(None, bound, UNTOLD, "Missing: contact potential.", is_compared=False)


def _signs(said: Evidence, stack: Stack) -> Judged:
    """Judge flags 11 and 12: displacement and polarization at the lower interface against the work function."""
    find = said.numbers.find
    shift = find("displacement_plane", stack.growth_id, "displacement_peak_pm", "cation shift outwards", *LOWER)
    polar = find(
        "displacement_plane", stack.growth_id, "polarization_uc_per_cm2", "P outwards",
        "TiO2 plane at the lower interface",
    )  # fmt: skip
    bare = stack.series.partition("/")[2] if stack.cap is not None else stack.series
    change = find("work_function", bare, "work_function_modulation_ev", f"rise of the work function of {bare}")
    lacking = missing((shift, "displacement at the lower interface"), (change, f"modulation of {bare}"))
    if lacking is not None or shift is None or change is None:
        yield 11, "", lacking or Judgement(shift, change, UNTOLD)
    else:
        unclear = any(abs(n.value) < SIGMAS * n.std or not np.isfinite(n.std) for n in (shift, change))
        verdict = AGREES if shift.value * change.value < 0.0 else DISAGREES
        note = "Signs alone are held against each other; a metal screens a buried dipole, so no cause is claimed."
        yield 11, "", Judgement(shift, change, UNTOLD if unclear else verdict, note, is_compared=False)
    lacking = missing((polar, "polarization of TiO2 at the lower interface"), (change, f"modulation of {bare}"))
    if lacking is not None or polar is None or change is None:
        yield 12, "", lacking or Judgement(polar, change, UNTOLD)
    else:
        yield 12, "", permittivity(polar, change)


def permittivity(polar: Number, change: Number) -> Judgement:
    """Judge the permittivity that makes P d/(eps0 eps) of one TiO2 plane the work function's change.

    Parameters
    ----------
    polar, change : Number
        Polarization [uC/cm^2] and change of the work function [eV].
    """
    volts = abs(polar.value) * 1e-2 * rutile("TiO2").d110_nm * 1e-9 / VACUUM_F_PER_M
    relative = float(np.hypot(polar.std / polar.value, change.std / change.value)) if polar.value else float("nan")
    bound = exact("rutile's permittivity", RUTILE_PERMITTIVITY, "")
    note = f"In vacuum the step of one plane is {volts:.2f} V. Signs: flag 11."
    if not np.isfinite(relative) or relative > 1.0 / SIGMAS or change.value == 0.0:
        left = Number("permittivity that makes both one", 0.0, float("nan"))
        return Judgement(left, bound, UNTOLD, f"{note} One of both is not told from 0.", is_compared=False)
    needed = volts / abs(change.value)
    left = Number("permittivity that makes both one", needed, relative * needed, "", polar.result_id, polar.entity_id)
    below = at_most(exact("vacuum", 1.0, ""), left)
    above = at_most(left, bound, note)
    worst = min((below.verdict, above.verdict), key=[DISAGREES, UNTOLD, AGREES].index)
    return replace(above, verdict=worst)


def _roughness(said: Evidence, stack: Stack) -> Judged:
    """Flag 13: heights against one plane, and against reflectivity."""
    numbers, film = said.numbers, stack.growth_id
    images = numbers.all("afm_roughness", film, "roughness_sq_pm", "Sq (AFM)")
    surface = numbers.find("xrr_fit", film, "roughness_nm", "surface roughness (XRR)", str(stack.top))
    plane = exact("one plane", _spacing_nm(said, stack), "nm")
    if not images:
        yield 13, "Sq and plane", Judgement(None, plane, UNTOLD, "Missing: AFM roughness.", is_compared=False)
        yield 13, "Sq and XRR", Judgement(None, surface, UNTOLD, "Missing: AFM roughness.", is_compared=False)
    for subject, image in images.items():
        sq = image.times(1e-3, "Sq (AFM)", "nm")
        yield 13, f"{subject} Sq and plane".strip(), at_most(sq, plane)
        yield 13, f"{subject} Sq and XRR".strip(), _within_factor(sq, surface, 2.0)


def _within_factor(left: Number, right: Number | None, factor: float) -> Judgement:
    if right is None:
        return Judgement(left, None, UNTOLD, "Missing: XRR roughness of the surface.", is_compared=False)
    if left.value <= 0.0 or right.value <= 0.0:
        return Judgement(left, right, UNTOLD, "A roughness of 0 has no ratio.", is_compared=False)
    off = abs(np.log(left.value / right.value))
    std = float(np.hypot(left.std / left.value, right.std / right.value))
    note = f"A factor of {float(np.exp(off)):.2f}."
    if not np.isfinite(std) or abs(off - np.log(factor)) < SIGMAS * std:
        return Judgement(left, right, UNTOLD, f"{note} The bound stands within 2 sigma, or an error is unknown.")
    return Judgement(left, right, AGREES if off <= np.log(factor) else DISAGREES, note)


def _second_harmonic(said: Evidence, stack: Stack) -> Judged:
    """Flag 17: a dipole of mm2 has no ss."""
    mine = said.rows("shg_fit", stack.growth_id)
    none = exact("none", 0.0, "")
    if not mine:
        yield 17, "", Judgement(None, none, UNTOLD, "Missing: second harmonic.", is_compared=False)
    for row in mine:
        angle = f"{row['angle_of_incidence_deg']:g} deg"
        part = said.numbers.find(
            "shg_fit", stack.growth_id, "shg_ss_fraction", "part of ss", angle, *([""] if len(mine) == 1 else [])
        )
        if row["symmetry"] != DIPOLE:
            note = f"No dipole is claimed: {row['symmetry']}."
            yield 17, angle, Judgement(part, none, UNTOLD, note, is_compared=False)
        elif part is None:
            yield 17, angle, Judgement(None, none, UNTOLD, "Missing: part of ss.", is_compared=False)
        else:
            yield 17, angle, same(part, none, 0.0, 0.1)


def _same_or_missing(
    left: Number | None, left_is: str, right: Number | None, right_is: str, tolerance: float
) -> Judgement:
    lacking = missing((left, left_is), (right, right_is))
    if lacking is not None or left is None or right is None:
        return lacking or Judgement(left, right, UNTOLD)
    return same(left, right, tolerance, 5.0 * tolerance)


def _spacing_nm(said: Evidence, stack: Stack) -> float:
    """Return the layer's spacing by Laue's oscillations, else bulk's; RuO2's where its lattice is unknown [nm]."""
    found = said.numbers.find("xrd_fit", stack.growth_id, "plane_spacing_nm", "spacing", str(stack.layer))
    if found is not None:
        return found.value
    try:
        return rutile(str(stack.material)).d110_nm
    except InvalidRecord:
        return rutile("RuO2").d110_nm


def _kinds(said: Evidence, film: str) -> list[str]:
    """Return the subjects of images that have no oxygen, which name the image's kind."""
    return sorted(set(said.numbers.all("displacement_plane", film, "ru_planes_count", "")) - {""})


RULES: tuple[Callable[[Evidence, Stack], Judged], ...] = (
    _thicknesses, _spacing, _relaxation, _sheet, _potential, _signs, _roughness, _second_harmonic,
)  # fmt: skip
