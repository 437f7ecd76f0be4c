"""Two-channel conductivity of each series at each temperature: what the line measures, and what a kink adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.two_channel import (
    KINK,
    S_CM_NM_PER_S,
    UNDECIDED,
    TwoChannel,
    line,
    two_channel,
)
from rutile_assets.provenance.film import Films, Outcome, Result
from rutile_assets.provenance.film_asset import Room, across_films
from rutile_assets.results import conductivity_figures as figures
from rutile_assets.results.carriers import carriers
from rutile_assets.results.conductivity_tables import (
    AS_UNCAPPED,
    BULK_S_PER_CM,
    CONDUCTIVITY,
    CONDUCTIVITY_POINT,
    CONDUCTIVITY_READING,
    INSULATING,
    LITERAL,
)
from rutile_assets.results.film_transport import ConductivityParameters, FilmPoints, estimated_row, film_points
from rutile_assets.results.thickness import thicknesses

FloatArray = npt.NDArray[np.float64]

METHOD = (
    "sheet conductance against thickness: interface below a kink, bulk beside it above; least squares with errors in"
    " both variables, thickness errors that films share apart"
)
MEASURED = "The line measures sigma_b and x0 only."
ROOM_K = 290.0


@dataclass(frozen=True)
class Fitted:
    """A series at one temperature with its fit and the numbers that follow."""

    points: FilmPoints
    channels: TwoChannel
    estimate: Estimate


@across_films(
    room="conductivity",
    reads=("growth", "xrr_fit", "transport_sheet", "transport_hall"),
    writes=(CONDUCTIVITY, CONDUCTIVITY_POINT, CONDUCTIVITY_READING),
    parameters=ConductivityParameters,
    kinds=("python", "numpy"),
    figure=figures.conductance,
)
def conductivity(films: Films) -> Outcome:
    """Bulk conductivity and intercept of each series; conductivity and thickness of the interface where a kink tells.

    The line alone measures x0 = t_i (1 - sigma_i/sigma_b): an interface thickness by assumption stands in
    ``conductivity_reading``, with the formula for two interfaces as it must be and as it was printed.
    """
    outcome, fitted = Outcome(), []
    chosen: ConductivityParameters = films.parameters
    known = thicknesses(films, chosen.nominal_std_ratio)
    for points in film_points(films, known, chosen.thickness_own_nm, chosen.thickness_shared_nm):
        try:
            fitted.append(fitted_channels(points))
        except FitFailed as fault:
            outcome.notes.append(f"{points.series}, {points.label}: {fault}")
    for one in fitted:
        kelvin = [one.points.temperature_k] * len(one.estimate.quantities)
        outcome.results.append(Result(one.estimate, temperature_k=kelvin, series=one.points.series))
    rows = [_row(one) for one in fitted]
    outcome.tables["conductivity"] = pd.DataFrame(rows, columns=CONDUCTIVITY.column_names[1:])
    if fitted:
        outcome.tables["conductivity_point"] = pd.concat([_point_rows(one) for one in fitted], ignore_index=True)
        outcome.tables["conductivity_reading"] = pd.DataFrame([r for one in fitted for r in _readings(one, fitted)])
    return outcome


def fitted_channels(points: FilmPoints) -> Fitted:
    """Fit one series at one temperature.

    Raises
    ------
    FitFailed
        Too few films.
    """
    channels = two_channel(
        points.values("thickness_nm"), points.values("thickness_std_nm"), points.values("sigma_2d_s"),
        points.values("sigma_2d_s_std"),
    )  # fmt: skip
    values, jacobian = channels.derived()
    still = np.zeros((1, len(points.rows)))
    systematics = {e: jacobian @ channels.fit.moved(shift, still) for e, shift in points.shifts_nm.items()}
    estimate = Estimate(
        channels.quantities,
        values,
        jacobian @ channels.fit.covariance @ jacobian.T,
        METHOD,
        "covariance",
        (points.label,) * len(values),
        systematics,
        tuple(_notes(points, channels)),
    )
    return Fitted(points, channels, estimate)


def _notes(points: FilmPoints, channels: TwoChannel) -> list[str]:
    notes = []
    if channels.shape != KINK:
        notes.append(
            f"{MEASURED} An interface of thickness t_i >= x0 = {channels.intercept_nm:.3g} nm follows only from what is"
            " assumed of its conductance."
        )
    if channels.shape == UNDECIDED:
        notes.append(f"Whether thin films show a kink cannot be told (delta BIC {channels.delta_bic:.1f}).")
    if channels.scatter > 0:
        notes.append(f"Films scatter by {100 * channels.scatter:.2g} % beyond their errors.")
    if channels.shape == KINK:
        values, _ = channels.derived()
        thinner = int((points.values("thickness_nm") < values[3]).sum())
        notes.append(f"{thinner} films are thinner than the interface: the line does not hold for them.")
    if points.temperature_k > ROOM_K and channels.bulk_s_per_cm > BULK_S_PER_CM:
        notes.append(f"sigma_b is above bulk RuO2's {BULK_S_PER_CM:g} S/cm.")
    return notes


def _row(one: Fitted) -> dict[str, object]:
    points, channels, estimate = one.points, one.channels, one.estimate
    total = estimate.total_covariance
    row: dict[str, object] = {
        "series": points.series,
        "temperature_k": points.temperature_k,
        "films_count": len(points.rows),
        "thinnest_nm": points.values("thickness_nm").min(),
        "channel_shape": channels.shape,
        "channel_delta_bic": channels.delta_bic if np.isfinite(channels.delta_bic) else None,
        "bulk_intercept_correlation_ratio": total[0, 1] / np.sqrt(total[0, 0] * total[1, 1]),
        "channel_chi_square_number": channels.fit.chi_square,
        "channel_freedom_count": channels.fit.freedom,
        "film_scatter_ratio": channels.scatter,
        "bulk_over_literature_ratio": (
            channels.bulk_s_per_cm / BULK_S_PER_CM
            if points.temperature_k > ROOM_K and channels.bulk_s_per_cm > 0
            else None
        ),
        "notes": " ".join(estimate.notes),
    }
    names = ("bulk_conductivity_s_per_cm", "line_intercept_nm", "interface_conductivity_s_per_cm")
    for name in (*names, "interface_thickness_nm"):
        told = name in estimate.quantities
        row |= estimated_row(
            name, *((estimate.value(name, points.label), estimate.sigma(name, points.label)) if told else (None, None))
        )
    return row


def _point_rows(one: Fitted) -> pd.DataFrame:
    points, channels = one.points, one.channels
    t, own = points.values("thickness_nm"), points.values("thickness_std_nm")
    measured, std = points.values("sigma_2d_s"), points.values("sigma_2d_s_std")
    model = channels.curve(t) / S_CM_NM_PER_S
    steep = (channels.curve(t + 1e-3) - channels.curve(t - 1e-3)) / (2e-3 * S_CM_NM_PER_S)
    kink = float(channels.derived()[0][3]) if channels.shape == KINK else 0.0
    foretold = [_foretold(points, i) for i in range(len(t))]
    return pd.DataFrame(
        {
            "growth_id": points.rows.growth_id,
            "series": points.series,
            "temperature_k": points.temperature_k,
            "trend_thickness_nm": t,
            "trend_thickness_own_nm": own,
            "sigma_2d_s": measured,
            "sigma_2d_s_std": std,
            "sigma_2d_s_std_source": "repeat",
            "channel_2d_s": model,
            "line_2d_s": line(channels.fit.values[:2], t) / S_CM_NM_PER_S,
            "is_on_line": t > kink,
            "channel_residual": (measured - model) / np.sqrt(std**2 + (steep * own) ** 2),
            "foretold_2d_s": [f[0] for f in foretold],
            "foretold_2d_s_std": [f[1] for f in foretold],
            "foretold_2d_s_std_source": [None if f[0] is None else "covariance" for f in foretold],
        }
    )


def _foretold(points: FilmPoints, left_out: int) -> tuple[float | None, float | None]:
    """Return what the other films foretell of one film's conductance, and one sigma with that of its thickness [S]."""
    others = np.arange(len(points.rows)) != left_out
    names = ("thickness_nm", "thickness_std_nm", "sigma_2d_s", "sigma_2d_s_std")
    try:
        found = two_channel(*(points.values(name)[others] for name in names))
    except FitFailed:
        return None, None
    at, own = points.values("thickness_nm")[[left_out]], points.values("thickness_std_nm")[left_out]
    steps = 1e-3 * np.abs(found.fit.values)

    def foretell(values: FloatArray, t: FloatArray) -> float:
        return float(found.curve(t, values)[0] / S_CM_NM_PER_S)

    slopes = np.array(
        [
            (foretell(found.fit.values + s, at) - foretell(found.fit.values - s, at)) / (2 * s.sum())
            for s in np.diag(steps)
        ]
    )
    along = (foretell(found.fit.values, at + 1e-3) - foretell(found.fit.values, at - 1e-3)) / 2e-3
    variance = slopes @ found.fit.covariance @ slopes + (along * own) ** 2
    return foretell(found.fit.values, at), float(np.sqrt(variance))


def _readings(one: Fitted, everything: list[Fitted]) -> list[dict[str, object]]:
    """Return what thickness of the interfaces follows from x0 under each assumption."""
    points, estimate = one.points, one.estimate
    shared = {"series": points.series, "temperature_k": points.temperature_k}
    place = [estimate.quantities.index(q) for q in ("bulk_conductivity_s_per_cm", "line_intercept_nm")]
    bulk, intercept = estimate.values[place]
    covariance = estimate.total_covariance[np.ix_(place, place)]
    rows: list[dict[str, object]] = []
    assumed: list[tuple[str, float, float, float]] = [(INSULATING, 0.0, 0.0, 1.0)]
    for other in everything:
        near = other.points.label == points.label and other.points.series != points.series
        if near and other.channels.shape == KINK and points.series.count("/") > other.points.series.count("/"):
            borrowed = other.estimate.value("interface_conductivity_s_per_cm", other.points.label)
            std = other.estimate.sigma("interface_conductivity_s_per_cm", other.points.label)
            assumed += [(AS_UNCAPPED, borrowed, std, 1.0), (LITERAL, borrowed, std, 2.0)]
            break
    for reading, interface, std, times in assumed:
        left = 1.0 - times * interface / bulk
        follows = left > 0
        slopes = np.array([-intercept * times * interface / (bulk * left) ** 2, 1.0 / left]) if follows else np.zeros(2)
        own = intercept * times / (bulk * left**2) * std if follows else 0.0
        sigma = float(np.sqrt(slopes @ covariance @ slopes + own**2))
        told = (float(intercept / left), sigma) if follows else (None, None)
        rows.append(
            {
                **shared,
                "assumption": reading,
                "assumed_interface_s_per_cm": interface,
                **estimated_row("read_thickness_nm", *told),
            }
        )
    return rows


ROOM = Room(
    name="conductivity", title="Conductivity and carriers against thickness", folders=(), check=None,
    assets=(conductivity, carriers),
)  # fmt: skip
