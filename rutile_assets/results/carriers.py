"""Carriers of each series against thickness: dip of the sheet density, peak of the mobility, density of thick films."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.carrier_extrema import Carriers, Extremum, locate
from rutile_assets.physics.errors_in_variables import Adjusted, Points, adjust, with_scatter
from rutile_assets.physics.two_channel import line, two_channel
from rutile_assets.provenance.film import Films, Outcome, Result
from rutile_assets.provenance.film_asset import across_films
from rutile_assets.results import conductivity_figures as figures
from rutile_assets.results.conductivity_tables import CARRIERS, CARRIERS_CURVE, CARRIERS_POINT
from rutile_assets.results.film_transport import ConductivityParameters, FilmPoints, estimated_row, film_points
from rutile_assets.results.thickness import thicknesses

FloatArray = npt.NDArray[np.float64]

THICK_NM = 4.0
NM_PER_CM = 1e7
CURVE_POINTS = 200
METHOD = (
    "conductance and sheet density against thickness together, errors in both variables; dips of several shapes over"
    " several baselines, averaged by Akaike's weights"
)
SHAPE = "shape of the dip"
SINGLE = "One kind of carriers is assumed: in a metal of several bands this is no density."
Slope = tuple[Adjusted, float, npt.NDArray[np.bool_]]


@across_films(
    room="conductivity",
    reads=("growth", "xrr_fit", "transport_sheet", "transport_hall"),
    writes=(CARRIERS, CARRIERS_POINT, CARRIERS_CURVE),
    parameters=ConductivityParameters,
    kinds=("python", "numpy"),
    figure=figures.density_and_mobility,
)
def carriers(films: Films) -> Outcome:
    """Thickness at which the sheet density dips and the mobility peaks, and the density of films above 4 nm.

    A place is told only where the extremum stands out by three sigma. What shapes of the dip that fit differ by is a
    named systematic; a thickness error that films share moves the place with it.
    """
    outcome = Outcome()
    rows, points, curves = [], [], []
    chosen: ConductivityParameters = films.parameters
    known = thicknesses(films, chosen.nominal_std_ratio)
    for given in film_points(films, known, chosen.thickness_own_nm, chosen.thickness_shared_nm):
        here = _with_density(given)
        if here.rows.empty:
            continue
        points.append(_point_rows(here))
        slope = _thick_slope(here)
        try:
            found = _located(here)
        except FitFailed as fault:
            outcome.notes.append(f"{here.series}, {here.label}: {fault}")
            found = None
        if found is not None:
            curves.append(_curve_rows(here, found))
        estimate = _estimate(here, found, slope)
        if estimate is not None:
            kelvin = [here.temperature_k] * len(estimate.quantities)
            outcome.results.append(Result(estimate, temperature_k=kelvin, series=here.series))
        rows.append(_row(here, found, slope, estimate))
    outcome.tables["carriers"] = pd.DataFrame(rows, columns=CARRIERS.column_names[1:])
    for name, frames in (("carriers_point", points), ("carriers_curve", curves)):
        if frames:
            outcome.tables[name] = pd.concat(frames, ignore_index=True)
    return outcome


def _with_density(given: FilmPoints) -> FilmPoints:
    told = (given.rows.sheet_density_per_cm2.notna() & given.rows.sheet_density_per_cm2_std.notna()).to_numpy()
    shifts = {effect: shift[told] for effect, shift in given.shifts_nm.items()}
    return FilmPoints(given.series, given.temperature_k, given.rows[told].reset_index(drop=True), shifts)


def _located(here: FilmPoints) -> Carriers:
    thickness = here.values("thickness_nm"), here.values("thickness_std_nm")
    conductance = here.values("sigma_2d_s"), here.values("sigma_2d_s_std")
    density = here.values("sheet_density_per_cm2"), here.values("sheet_density_per_cm2_std")
    return locate(*thickness, *conductance, *density, two_channel(*thickness, *conductance))


def _thick_slope(here: FilmPoints) -> Slope | None:
    """Return the line through n_2D [1/(cm^2 nm)] of films above 4 nm, its scatter, and which films they are."""
    t = here.values("thickness_nm")
    thick = t > THICK_NM
    if len(np.unique(t[thick])) < 2:
        return None
    own, n, std = (
        here.values(c)[thick] for c in ("thickness_std_nm", "sheet_density_per_cm2", "sheet_density_per_cm2_std")
    )
    scale = float(n.max())
    slope, offset = np.polyfit(t[thick], n / scale, 1)

    def fit(part: FloatArray) -> Adjusted:
        start, sigma = np.array([slope, -offset / slope]), part * n / scale
        for _ in range(2):
            found = adjust(lambda p, x: line(p, x)[None], Points(t[thick], own, n[None] / scale, sigma[None]), start)
            start, sigma = found.values, part * np.abs(line(found.values, found.x))
        return found

    try:
        found, scatter = with_scatter(fit, np.ones_like(n), std / n, fit(std / n))
    except FitFailed:
        return None
    units = np.array([scale, 1.0])
    scaled = Adjusted(
        found.values * units, found.covariance * np.outer(units, units), found.x, found.chi_square, found.freedom,
        found.response_x * units[:, None], found.response_y * units[:, None, None] / scale,
    )  # fmt: skip
    return scaled, scatter, thick


def _estimate(here: FilmPoints, found: Carriers | None, slope: Slope | None) -> Estimate | None:
    names: list[str] = []
    values: list[float] = []
    variances: list[float] = []
    shape: list[float] = []
    shifts: dict[str, list[float]] = {effect: [] for effect in here.shifts_nm}
    places: tuple[tuple[str, Extremum | None], ...] = ()
    if found is not None:
        places = (("density_dip_thickness_nm", found.dip), ("mobility_peak_thickness_nm", found.peak))
        moved = {e: found.place_shift(s, np.zeros((2, len(s)))) for e, s in here.shifts_nm.items()}
    for number, (name, told) in enumerate(places):
        if told is not None:
            names.append(name)
            values.append(told.place_nm)
            variances.append(told.statistical_nm**2)
            shape.append(told.shape_nm)
            for effect, moves in shifts.items():
                moves.append(moved[effect][number])
    covariance = np.diag(variances)
    if len(names) == 2 and found is not None:
        covariance[0, 1] = covariance[1, 0] = found.dip_covariance_nm2
    if slope is not None:
        fit, _, thick = slope
        names.append("carrier_density_per_cm3")
        values.append(float(fit.values[0]) * NM_PER_CM)
        covariance = np.pad(covariance, (0, 1))
        covariance[-1, -1] = float(fit.covariance[0, 0]) * NM_PER_CM**2
        shape.append(0.0)
        for effect, shift in here.shifts_nm.items():
            still = np.zeros((1, int(thick.sum())))
            shifts[effect].append(float(fit.moved(shift[thick], still)[0]) * NM_PER_CM)
    if not names:
        return None
    systematics = {effect: np.array(shift) for effect, shift in shifts.items()}
    if any(shape):
        systematics[SHAPE] = np.array(shape)
    return Estimate(
        tuple(names),
        np.array(values),
        covariance,
        METHOD,
        "covariance",
        (here.label,) * len(names),
        systematics,
        tuple(_notes(found, slope)),
    )


def _notes(found: Carriers | None, slope: Slope | None) -> list[str]:
    notes = [SINGLE]
    if found is not None:
        if found.dip is None:
            notes.append("No dip of the sheet density stands out of the errors.")
        if found.peak is None:
            notes.append("No peak of the mobility stands out of the errors.")
        best = found.candidates[0]
        if best.fit.probability < 0.01:
            notes.append(f"No model fits (probability {best.fit.probability:.1g}): the places are those of the best.")
    if slope is not None and slope[1] > 0:
        notes.append(f"Above {THICK_NM:g} nm the sheet density is no straight line: scatter {100 * slope[1]:.2g} %.")
    return notes


def _row(here: FilmPoints, found: Carriers | None, slope: Slope | None, estimate: Estimate | None) -> dict[str, object]:
    both = found is not None and found.dip is not None and found.peak is not None
    row: dict[str, object] = {
        "series": here.series,
        "temperature_k": here.temperature_k,
        "films_count": len(here.rows),
        "dip_peak_correlation_ratio": _correlation(found) if both and found is not None else None,
        "density_dip_shape_nm": found.dip.shape_nm if found is not None and found.dip is not None else None,
        "mobility_peak_shape_nm": found.peak.shape_nm if found is not None and found.peak is not None else None,
        "thick_films_count": 0 if slope is None else int(slope[2].sum()),
        "thick_scatter_ratio": None if slope is None else slope[1],
        "carrier_probability": 1.0 if found is None else found.candidates[0].fit.probability,
        "carrier_models": "" if found is None else "; ".join(f"{c.name} {c.weight:.2f}" for c in found.candidates),
        "notes": " ".join(_notes(found, slope)),
    }
    for name in ("density_dip_thickness_nm", "mobility_peak_thickness_nm", "carrier_density_per_cm3"):
        told = estimate is not None and name in estimate.quantities
        pair = (
            (estimate.value(name, here.label), estimate.sigma(name, here.label)) if told and estimate else (None, None)
        )
        row |= estimated_row(name, *pair)
    return row


def _correlation(found: Carriers) -> float | None:
    if found.dip is None or found.peak is None:
        return None
    spread = found.dip.statistical_nm * found.peak.statistical_nm
    return float(np.clip(found.dip_covariance_nm2 / spread, -1.0, 1.0)) if spread > 0 else None


def _point_rows(here: FilmPoints) -> pd.DataFrame:
    names = ("sheet_density_per_cm2", "mobility_cm2_per_vs")
    columns = {c: here.rows[c] for name in names for c in (name, f"{name}_std")}
    sources = {f"{name}_std_source": ["repeat"] * len(here.rows) for name in names}
    return pd.DataFrame(
        {
            "growth_id": here.rows.growth_id,
            "series": here.series,
            "temperature_k": here.temperature_k,
            "trend_thickness_nm": here.values("thickness_nm"),
            "trend_thickness_own_nm": here.values("thickness_std_nm"),
            **columns,
            **sources,
        }
    )


def _curve_rows(here: FilmPoints, found: Carriers) -> pd.DataFrame:
    t = np.linspace(here.values("thickness_nm").min(), here.values("thickness_nm").max(), CURVE_POINTS)
    density = sum(c.weight * c.density(c.fit.values, t) for c in found.candidates)
    mobility = sum(c.weight * c.mobility(c.fit.values, t) for c in found.candidates)
    return pd.DataFrame(
        {
            "series": here.series,
            "temperature_k": here.temperature_k,
            "point_index": np.arange(1, len(t) + 1),
            "curve_thickness_nm": t,
            "curve_density_per_cm2": np.exp(density),
            "curve_mobility_cm2_per_vs": np.exp(mobility),
        }
    )
