"""Polar displacements, plane by plane, against their null; layers, thickness and polarization from the same image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import FitFailed, RutileError
from rutile_assets.estimate import Estimate
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.interfaces import Agreement, Layers, Thickness, agreement
from rutile_assets.physics.null_tests import (
    PROVES_NOTHING,
    Antisymmetry,
    InterfaceMeans,
    NullProfile,
    NullTest,
    antisymmetry,
    interface_means,
    null_test,
    subtracted,
)
from rutile_assets.physics.plane_profile import PlaneProfile
from rutile_assets.physics.polarization import NO_POLARIZATION, Polarization, born_charge, polarization
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.results import displacement_figures
from rutile_assets.results.displaced_image import (
    FittedImage,
    Measured,
    fitted_image,
    image_null,
    measure,
    pipeline_null,
    stack_of,
)
from rutile_assets.results.displacement_tables import DISPLACEMENT_PLANE, DISPLACEMENT_PLANE_IMAGE

FloatArray = npt.NDArray[np.float64]

READS = ("growth", "xrr_fit", "xrd_fit", "atom_column", "null_column")
INTERFACES = {1: "lower interface", -1: "upper interface"}
INTO_RUO2 = "from TiO2 into RuO2"
LESS_NULL = ", less the null"
UNCERTAIN_SIGN = "Which way is out of the substrate is not known: signs along [110] may be the other way round."
HOW = (
    "cations against their four projected oxygens; plane means with the fit's full covariance, scaled by the columns'"
    " scatter, and what halves of the depth or of the patterns add, and what"
    " reconstructions get wrong at known truth"
)


@dataclass(frozen=True)
class DisplacementParameters:
    """What a person may choose.

    Parameters
    ----------
    reconstruction_pm : float
        One sigma of what a reconstruction gets wrong in a plane mean and neither its fit nor its halves show: halves of
        the data agree to 0.1 pm where both are 0.6 pm off the truth. Measured on three simulated scans of known truth
        (docs/accuracy.md), the same on which the chain is tested [pm].
    """

    reconstruction_pm: float = 0.4


@dataclass(frozen=True)
class Film110:
    """What one image of a film says.

    Parameters
    ----------
    measured : Measured
        Plane means.
    layers, thickness, height_nm, height_std_nm
        Of its planes; heights over the lowest interface.
    nulls : dict of str to NullProfile
        By source, the best first.
    against_zero : NullTest
        Of the plane means.
    against_null : NullTest or None
        With the best null.
    """

    measured: Measured
    layers: Layers
    thickness: Thickness
    height_nm: FloatArray
    height_std_nm: FloatArray
    nulls: dict[str, NullProfile]
    against_zero: NullTest
    against_null: NullTest | None

    @property
    def null(self) -> NullProfile | None:
        """The best null there is."""
        return next(iter(self.nulls.values()), None)

    @property
    def null_source(self) -> str | None:
        """Where it comes from."""
        return next(iter(self.nulls), None)


@film_asset(
    room="displacement",
    reads=READS,
    needs=("atom_column",),
    writes=(DISPLACEMENT_PLANE, DISPLACEMENT_PLANE_IMAGE),
    parameters=DisplacementParameters,
    kinds=("python", "scipy"),
    figure=displacement_figures.displacement,
)
def displacement_plane(film: Film) -> Outcome:
    """Displacement of cations against their oxygens, plane by plane, with the null of the same image beside it.

    The peak is the mean of the two planes that adjoin an interface, which the cations' amplitudes name: the largest of
    noisy means would be too large. Polarization only where Born charges exist, in TiO2.
    """
    outcome = Outcome()
    planes, images = [], []
    all_rows, nulls = film.table("atom_column"), film.table("atom_column_null")
    pipeline = film.table("null_column")
    for image in film.table("atom_column_image").to_dict("records"):
        file_id = int(image["file_id"])
        mine = all_rows[(all_rows.file_id == file_id) & (all_rows.image_kind == image["image_kind"])]
        try:
            fitted = fitted_image(mine, image, film.array)
            if not int(image["oxygen_columns_count"]):
                _stack_alone(film, fitted, image, outcome)
                continue
            said = _of_image(
                film, fitted, nulls[nulls.file_id == file_id], pipeline[pipeline.file_id == file_id], outcome
            )
        except RutileError as fault:
            outcome.notes.append(f"Image of file {file_id}: no displacement: {fault}")
            continue
        notes = [] if image["has_known_sign"] else [UNCERTAIN_SIGN]
        planes.append(_plane_rows(file_id, said))
        images.append(_image_row(film, image, said, fitted, notes))
        outcome.results += _results(said, fitted, file_id, notes)
        outcome.notes.append(str(images[-1]["notes"]))
    if planes:
        outcome.tables = {
            "displacement_plane": pd.concat(planes, ignore_index=True),
            "displacement_plane_image": pd.DataFrame(images),
        }
    return outcome


def _of_image(
    film: Film, fitted: FittedImage, drawn: pd.DataFrame, pipeline: pd.DataFrame, outcome: Outcome
) -> Film110:
    rng = np.random.default_rng(film.seed)
    measured = measure(fitted, rng, film.parameters.reconstruction_pm)
    told, thick, height, height_std = stack_of(fitted)
    nulls: dict[str, NullProfile] = {}
    if len(pipeline):
        try:
            nulls["pipeline"] = pipeline_null(pipeline, told.below[0] if told.below else None, rng)
        except FitFailed as fault:
            outcome.notes.append(f"The pipeline's null cannot be used: {fault}")
    if len(drawn):
        nulls["image"] = image_null(fitted, measured.found, drawn, rng)
    start = thick.interface_nm[0] if len(thick.interface_nm) else height[0]
    best = next(iter(nulls.values()), None)
    against_null = None if best is None else null_test(measured.out_of_plane, best)
    return Film110(
        measured, told, thick, height - start, height_std, nulls, null_test(measured.out_of_plane), against_null
    )


def _plane_rows(file_id: int, said: Film110) -> pd.DataFrame:
    out, aside, whole = said.measured.out_of_plane, said.measured.in_plane, said.measured.octahedron
    place = np.searchsorted(said.layers.plane, out.plane)
    is_ru = said.layers.is_ruthenium[place]
    rows: dict[str, Any] = {
        "file_id": file_id,
        "plane_index": out.plane,
        "element": np.where(is_ru, "Ru", "Ti"),
        "cations_count": out.columns_count,
        **_estimated("depth_nm", said.height_nm[place], said.height_std_nm[place]),
        **_estimated("displacement_out_of_plane_pm", out.value_pm, out.std_pm),
        **_estimated("displacement_in_plane_pm", aside.value_pm, aside.std_pm),
        **_estimated("displacement_octahedron_pm", whole.value_pm, whole.std_pm),
        "displacement_site_a_pm": out.site_value_pm[:, 0],
        "displacement_site_b_pm": out.site_value_pm[:, 1],
        "bootstrap_error_pm": out.bootstrap_std_pm,
    }
    nothing = np.full(len(out.plane), np.nan)
    for name, null in (("null_pm", said.null), ("image_null_pm", said.nulls.get("image"))):
        rows |= _estimated(name, *((nothing, nothing) if null is None else _on_planes(out, null)))
    rows["null_source"] = [None if np.isnan(value) else said.null_source for value in rows["null_pm"]]
    left, left_std = nothing.copy(), nothing.copy()
    if said.null is not None:
        difference, covariance, places = subtracted(out, said.null)
        left[places], left_std[places] = difference, np.sqrt(np.diag(covariance))
    rows |= _estimated("displacement_less_null_pm", left, left_std)
    polar = _polarization(said)
    value, std = nothing.copy(), nothing.copy()
    if polar is not None:
        places, found = polar
        value[places] = found.value_uc_per_cm2
        shifts = sum(shift**2 for shift in found.systematics_uc_per_cm2.values())
        std[places] = np.sqrt(np.diag(found.covariance_uc2_per_cm4) + shifts)
    return pd.DataFrame(rows | _estimated("polarization_plane_uc_per_cm2", value, std))


def _estimated(name: str, value: FloatArray, std: FloatArray) -> dict[str, Any]:
    source = [None if np.isnan(one) else "covariance" for one in value]
    return {name: value, f"{name}_std": std, f"{name}_std_source": source}


def _on_planes(profile: PlaneProfile, null: NullProfile) -> tuple[FloatArray, FloatArray]:
    """Return a null's values and errors on a profile's planes, NaN where it has none [pm]."""
    value, std = np.full(len(profile.plane), np.nan), np.full(len(profile.plane), np.nan)
    places = profile.at(null.plane)
    there = places >= 0
    value[places[there]], std[places[there]] = null.value_pm[there], null.std_pm[there]
    return value, std


def _polarization(said: Film110) -> tuple[npt.NDArray[np.intp], Polarization] | None:
    """Return TiO2's planes that have both sites, and their polarization: the octahedron's atoms carry the charge."""
    whole = said.measured.octahedron
    ru = said.layers.plane[said.layers.is_ruthenium]
    places = np.flatnonzero(~np.isin(whole.plane, ru) & np.isfinite(whole.site_value_pm).all(1))
    if not len(places):
        return None
    part = whole.part(places)
    return places, polarization("TiO2", rutile("TiO2"), part.site_value_pm, part.site_covariance_pm2)


def _peak(said: Film110) -> tuple[InterfaceMeans | None, InterfaceMeans | None, InterfaceMeans | None]:
    """Return the interfaces' means as measured, of the null, and of what is left."""
    out, where = said.measured.out_of_plane, (said.layers.below, said.layers.into_ruo2)
    measured = interface_means(out.plane, out.value_pm, out.covariance_pm2, *where)
    if said.null is None:
        return measured, None, None
    null = interface_means(said.null.plane, said.null.value_pm, said.null.covariance_pm2, *where)
    difference, covariance, places = subtracted(out, said.null)
    return measured, null, interface_means(out.plane[places], difference, covariance, *where)


def _results(said: Film110, fitted: FittedImage, file_id: int, notes: list[str]) -> list[Result]:
    made = [_probabilities(said, notes)]
    measured, null, left = _peak(said)
    names = [INTERFACES[sign] for sign in said.layers.into_ruo2] + [INTO_RUO2]
    if measured is not None:
        largest = said.measured.out_of_plane
        top = int(np.argmax(np.abs(largest.value_pm)))
        told = (
            "The mean of the two planes that adjoin an interface. The largest plane mean, as is often quoted, is"
            f" {largest.value_pm[top]:+.1f} pm in plane {largest.plane[top]}: the largest of noisy means is too large."
        )
        bias = {} if null is None else {"fit and reconstruction at zero displacement": null.value_pm}
        made.append(_peak_estimate(measured, names, fitted, "", bias, (told, PROVES_NOTHING, *notes)))
        if left is not None:
            sentence = f"Less the null of the {said.null_source}."
            made.append(_peak_estimate(left, names, fitted, LESS_NULL, {}, (sentence, *notes)))
    made += _stack_estimates(said.layers, said.thickness, fitted.scale_std, "")
    polar = _polarization_estimate(said, notes)
    if polar is not None:
        made.append(polar)
    materials = {"polarization_uc_per_cm2": "TiO2", "ruo2_thickness_nm": "RuO2", "ru_planes_count": "RuO2"}
    return [Result(one, file_id, [materials.get(q) for q in one.quantities]) for one in made]


def _probabilities(said: Film110, notes: list[str]) -> Estimate:
    tests = {"against zero": said.against_zero, f"against the {said.null_source} null": said.against_null}
    known = {name: test.probability for name, test in tests.items() if test is not None}
    sentences = [
        f"Chi-square {name}: {test.chi_square:.1f} for {test.planes} planes."
        for name, test in tests.items()
        if test is not None
    ]
    return Estimate(
        ("displacement_null_probability",) * len(known),
        np.array(list(known.values())),
        np.full((len(known), len(known)), np.nan),
        "chi-square of the plane means with their covariance and the null's; F where the columns' scatter scales it",
        "covariance",
        tuple(known),
        notes=(*sentences, *notes),
    )


def _peak_estimate(
    means: InterfaceMeans,
    names: list[str],
    fitted: FittedImage,
    ending: str,
    bias: dict[str, FloatArray],
    notes: tuple[str, ...],
) -> Estimate:
    return Estimate(
        ("displacement_peak_pm",) * len(names),
        means.value_pm,
        means.covariance_pm2,
        HOW,
        "covariance",
        tuple(f"{name}{ending}" for name in names),
        {"lattice of TiO2 as the ruler": means.value_pm * fitted.scale_std, **bias},
        notes,
    )


def _stack_estimates(told: Layers, thick: Thickness, scale_std: float, subject: str) -> list[Estimate]:
    """Return how many Ru planes there are and how thick they are, where both interfaces are seen."""
    if told.film_planes is None:
        return []
    how = "cation amplitudes against sqrt(I_Ti I_Ru), plane by plane"
    wrong = told.misassigned_probability
    count = Estimate(
        ("ru_planes_count",),
        np.array([float(told.film_planes)]),
        np.array([[wrong]]),
        how,
        "covariance",
        (subject,),
        notes=(f"Probability that any plane is on the wrong side: {wrong:.2g}.",),
    )
    thickness = Estimate(
        ("ruo2_thickness_nm",),
        np.array([thick.thickness_nm]),
        np.array([[thick.statistical_nm**2]]),
        f"{how}; between the midpoints of the two edges",
        "covariance",
        (subject,),
        {
            "whole planes": np.array([thick.rounding_nm]),
            "lattice of TiO2 as the ruler": np.array([thick.thickness_nm * scale_std]),
        },
    )
    return [count, thickness]


def _polarization_estimate(said: Film110, notes: list[str]) -> Estimate | None:
    """Return the polarization of the TiO2 planes that adjoin the interfaces."""
    found = _polarization(said)
    if found is None:
        return None
    places, polar = found
    planes = said.measured.octahedron.plane[places]
    chosen, names = [], []
    for below, sign in zip(said.layers.below, said.layers.into_ruo2, strict=True):
        at = np.flatnonzero(planes == (below if sign > 0 else below + 1))
        if len(at):
            chosen.append(int(at[0]))
            names.append(f"TiO2 plane at the {INTERFACES[sign]}")
    if not chosen:
        return None
    shifts = {name: shift[chosen] for name, shift in polar.systematics_uc_per_cm2.items()}
    if said.null is not None:
        null = np.nan_to_num(_on_planes(said.measured.octahedron, said.null)[0][places][chosen])
        flat = np.stack([null, null], axis=1)
        nothing = np.zeros((2 * len(chosen), 2 * len(chosen)))
        shifts["fit and reconstruction at zero displacement"] = polarization(
            "TiO2", rutile("TiO2"), flat, nothing
        ).value_uc_per_cm2
    return Estimate(
        ("polarization_uc_per_cm2",) * len(chosen),
        polar.value_uc_per_cm2[chosen],
        polar.covariance_uc2_per_cm4[np.ix_(chosen, chosen)],
        "Born charges times cation against the octahedron's six oxygens, sites A and B apart, over V = a^2 c / 2",
        "covariance",
        tuple(names),
        shifts,
        (f"Born charges: {born_charge('TiO2').source}.", NO_POLARIZATION["RuO2"], *notes),
    )


def _stack_alone(film: Film, fitted: FittedImage, image: Mapping[Any, Any], outcome: Outcome) -> None:
    """Add what an image without oxygen says: planes and thickness."""
    told, thick, _, _ = stack_of(fitted)
    subject = str(image["image_kind"])
    made = _stack_estimates(told, thick, fitted.scale_std, subject)
    outcome.results += [Result(one, int(image["file_id"]), ["RuO2"]) for one in made]
    outcome.notes.append(f"Image of file {image['file_id']}: no oxygen is seen, so it has no displacement against it.")


def _image_row(
    film: Film, image: Mapping[Any, Any], said: Film110, fitted: FittedImage, notes: list[str]
) -> dict[str, Any]:
    notes = list(notes)
    out, found = said.measured.out_of_plane, said.measured.found
    middle = 0.5 * sum(said.layers.below) + 0.5 if said.layers.film_planes is not None else None
    mirrored = None if middle is None else antisymmetry(out, middle)
    row: dict[str, Any] = {
        "file_id": int(image["file_id"]),
        "image_kind": image["image_kind"],
        "profile_covariance_array": film.store("displacement_covariance", out.covariance_pm2, unit="pm2"),
        "cations_used_count": len(found.cation),
        "cations_without_count": found.missing,
        "scatter_ratio": out.scatter_ratio,
        "scatter_freedom_count": out.scatter_freedom,
        "depth_spread_pm": out.depth_std_pm,
        "half_data_spread_pm": out.data_std_pm,
        "zero_chi_square_ratio": said.against_zero.chi_square / said.against_zero.planes,
        "zero_probability": said.against_zero.probability,
        "ru_planes_count": said.layers.film_planes,
        "notes": "",
        **_mirrored(mirrored),
    }
    if said.null is not None and said.against_null is not None:
        row |= {
            "null_replicates_count": said.null.replicates,
            "null_chi_square_ratio": said.against_null.chi_square / said.against_null.planes,
            "null_probability": said.against_null.probability,
            "null_rms_pm": float(np.sqrt(np.mean(said.null.value_pm**2))),
        }
    if said.layers.below:
        row |= _one("cation_amplitude_ratio", said.layers.amplitude_ratio, said.layers.amplitude_ratio_std)
    if said.layers.film_planes is not None:
        total = float(np.hypot(said.thickness.statistical_nm, said.thickness.rounding_nm))
        row |= _one("ruo2_thickness_nm", said.thickness.thickness_nm, total)
        row |= _compared(film, said.thickness, total, notes)
    if not np.isfinite(fitted.scale_std):
        notes.append("The scale of the image is not known from its lattice.")
    return row | {"notes": " ".join(notes)}


def _mirrored(found: Antisymmetry | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "midplane_index_number": found.midplane,
        "odd_chi_square_ratio": found.chi_square_odd / found.pairs,
        "even_chi_square_ratio": found.chi_square_even / found.pairs,
        "antisymmetry": found.sentence,
    }


def _one(name: str, value: float, std: float) -> dict[str, Any]:
    return {name: value, f"{name}_std": std, f"{name}_std_source": "covariance"}


def _compared(film: Film, thick: Thickness, total_nm: float, notes: list[str]) -> dict[str, Any]:
    """Return this thickness against reflectivity's and Laue's, where the film has one RuO2 layer."""
    layers = film.table("growth_layer")
    if int((layers.material == "RuO2").sum()) != 1:
        return {}
    row: dict[str, Any] = {}
    for name, table, column in (
        ("xrr", "xrr_fit_layer", "thickness_nm"),
        ("laue", "xrd_fit", "laue_thickness_nm"),
    ):
        rows = film.table(table)
        rows = rows[(rows.material == "RuO2") & rows[column].notna()]
        if rows.empty:
            continue
        best = rows.sort_values(f"{column}_std").to_dict("records")[0]
        other_std = float(best[f"{column}_std"]) if not pd.isna(best[f"{column}_std"]) else 0.0
        found: Agreement = agreement(
            thick.thickness_nm, total_nm, float(best[column]), other_std, thick.plane_spacing_nm
        )
        row |= _one(f"{name}_difference_nm", found.difference_nm, float(np.hypot(total_nm, other_std)))
        row[f"agrees_with_{name}"] = found.agrees
        notes.append(found.sentence("reflectivity" if name == "xrr" else "Laue oscillations"))
    return row


ROOM = Room(name="displacement", title="Polar displacement", folders=(), check=None, assets=(displacement_plane,))
