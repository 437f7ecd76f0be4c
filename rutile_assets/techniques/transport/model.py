"""Sheet resistance, Hall slope, anomalous Hall term, carrier density and mobility from readings in a field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import ndtr, stdtrit

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.van_der_pauw import sensitivities, sheet_resistance

FloatArray = npt.NDArray[np.float64]

VDP_A, VDP_B, HALL = "vdp_a", "vdp_b", "hall"
ARRANGEMENTS = (VDP_A, VDP_B, HALL)
ONE_SIGMA = float(ndtr(1.0))  # part of a distribution below one sigma
DECISIVE_BIC = 10.0
ANISOTROPIC = 1.5


@dataclass(frozen=True)
class TransportParameters:
    """What a person may choose about transport.

    Parameters
    ----------
    zero_field_fraction : float
        Readings below this fraction of the largest field count as taken without field.
    temperature_gap_k : float
        Readings whose temperatures differ by less belong together (0.2 % of the temperature where that is more).
    significance : float
        A Hall slope below this many sigma gives no density.
    """

    zero_field_fraction: float = 0.05
    temperature_gap_k: float = 0.1
    significance: float = 3.0


@dataclass(frozen=True)
class Readings:
    """Resistances in the order in which they were taken.

    Parameters
    ----------
    temperature_k, field_t, resistance_ohm : ndarray
        (P,) temperature [K], mu0 H [T], voltage over current [ohm].
    configuration : ndarray
        (P,) which wiring it was; those of one arrangement are reciprocal or repeated ones.
    """

    temperature_k: FloatArray
    field_t: FloatArray
    resistance_ohm: FloatArray
    configuration: npt.NDArray[np.int64]

    def part(self, mask: npt.NDArray[np.bool_]) -> Readings:
        """Return the readings of a mask."""
        return Readings(
            self.temperature_k[mask], self.field_t[mask], self.resistance_ohm[mask], self.configuration[mask]
        )


@dataclass(frozen=True)
class Sheet:
    """Sheet resistance at one temperature without field.

    Parameters
    ----------
    temperature_k : float
        Mean temperature [K].
    r_a_ohm, r_b_ohm : float
        The two arrangements' resistances [ohm].
    sheet_resistance_ohm, statistical_std_ohm, reciprocity_ohm : float
        R_s; its standard error; the shift of R_s if one of two reciprocal configurations is wrong [ohm].
    readings_count : int
        Readings used.
    notes : tuple of str
        What a reader must know.
    """

    temperature_k: float
    r_a_ohm: float
    r_b_ohm: float
    sheet_resistance_ohm: float
    statistical_std_ohm: float
    reciprocity_ohm: float
    readings_count: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Hall:
    """Hall effect at one temperature.

    Parameters
    ----------
    temperature_k : float
        Mean temperature [K].
    field_t, odd_ohm : ndarray
        (N,) |mu0 H| [T] and the odd part of the Hall resistance [ohm].
    slope_ohm_per_t, slope_std_ohm_per_t : float
        Of the model that was chosen.
    anomalous_ohm, anomalous_std_ohm, saturation_t : float
        Amplitude A and field scale H0 of A tanh(H/H0); NaN with the linear model.
    delta_bic : float
        BIC(linear) - BIC(linear + anomalous); above 10 the anomalous term is there.
    verdict : str
        linear, anomalous or undecided.
    branch_slopes_ohm_per_t : tuple of float
        Linear slope of each sweep branch alone.
    """

    temperature_k: float
    field_t: FloatArray
    odd_ohm: FloatArray
    slope_ohm_per_t: float
    slope_std_ohm_per_t: float
    anomalous_ohm: float
    anomalous_std_ohm: float
    saturation_t: float
    delta_bic: float
    verdict: str
    branch_slopes_ohm_per_t: tuple[float, ...]

    def model_ohm(self, field_t: FloatArray) -> FloatArray:
        """Return the fitted odd part at the fields [ohm]."""
        linear = self.slope_ohm_per_t * field_t
        if self.verdict != "anomalous":
            return linear
        return linear + self.anomalous_ohm * np.tanh(field_t / self.saturation_t)


def temperatures(temperature_k: FloatArray, gap_k: float) -> npt.NDArray[np.int64]:
    """Return (P,) the number of the temperature that each reading belongs to, from the coldest."""
    order = np.argsort(temperature_k, kind="stable")
    ordered = temperature_k[order]
    new = np.diff(ordered, prepend=ordered[:1]) > np.maximum(gap_k, 2e-3 * ordered)
    labels = np.empty(len(temperature_k), dtype=np.int64)
    labels[order] = np.cumsum(new)
    return labels


def sheet(a: Readings, b: Readings, chosen: TransportParameters) -> Sheet:
    """Return the sheet resistance at one temperature from the readings without field.

    Raises
    ------
    FitFailed
        No reading without field, or resistances that are not positive.
    """
    first, second = _zero_field(a, chosen), _zero_field(b, chosen)
    r_a, std_a, half_a, free_a = first
    r_b, std_b, half_b, free_b = second
    rs = sheet_resistance(r_a, r_b)
    d_a, d_b = sensitivities(r_a, r_b)
    notes = []
    ratio = max(r_a, r_b) / min(r_a, r_b)
    if ratio > ANISOTROPIC:
        notes.append(
            f"R_A and R_B differ by a factor of {ratio:.2f}: an anisotropic or uneven sheet; R_s is a geometric mean."
        )
    if max(half_a / r_a, half_b / r_b) > 0.02:
        notes.append("Reciprocal configurations differ by more than 4 %: check the contacts.")
    return Sheet(
        float(np.mean(np.concatenate([a.temperature_k, b.temperature_k]))),
        r_a,
        r_b,
        rs,
        _together(np.array([d_a * std_a, d_b * std_b]), np.array([free_a, free_b])),
        float(np.hypot(d_a * half_a, d_b * half_b)),
        len(a.field_t) + len(b.field_t),
        tuple(notes),
    )


def branches(field_t: FloatArray) -> list[slice]:
    """Return the monotonic sweeps of a field record (P,) [T], in the order in which they were taken.

    A turn counts when the field then moves by more than 1 % of its range.
    """
    span = float(np.ptp(field_t)) if len(field_t) else 0.0
    if span == 0.0:
        return [slice(0, len(field_t))]
    starts, extreme, direction = [0], 0, 0
    for i in range(1, len(field_t)):
        step = field_t[i] - field_t[extreme]
        if direction == 0:
            if abs(step) > 0.01 * span:
                direction, extreme = int(np.sign(step)), i
        elif step * direction > 0:
            extreme = i
        elif -step * direction > 0.01 * span:
            starts.append(extreme)
            direction, extreme = -direction, i
    ends = [start + 1 for start in starts[1:]] + [len(field_t)]
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def odd_part(field_t: FloatArray, resistance_ohm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return |mu0 H| [T] and [R(H) - R(-H)]/2 [ohm] of one branch, each (N,), rising in field.

    Each reading at a positive field is paired with the nearest one at the opposite field, each of those used once; a
    pair farther apart than the spacing of the fields is left out.
    """
    up, down = np.flatnonzero(field_t > 0), np.flatnonzero(field_t < 0)
    if not len(up) or not len(down):
        return np.empty(0), np.empty(0)
    spacing = float(np.median(np.abs(np.diff(np.sort(field_t))))) or float(np.ptp(field_t))
    tiny = 1e-3 * float(np.abs(field_t).max())
    pairs: list[tuple[float, float]] = []
    free = list(down)
    for i in up[np.argsort(field_t[up])]:
        if field_t[i] < tiny or not free:
            continue
        j = free[int(np.argmin(np.abs(field_t[free] + field_t[i])))]
        if abs(field_t[j] + field_t[i]) > 0.6 * spacing:
            continue
        free.remove(j)
        pairs.append((0.5 * (field_t[i] - field_t[j]), 0.5 * (resistance_ohm[i] - resistance_ohm[j])))
    table = np.array(pairs).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def hall(readings: Readings) -> Hall:
    """Return the Hall effect at one temperature.

    The odd part is taken within each branch of each configuration, so that offset and longitudinal pickup fall out;
    branches are averaged point by point, so that a linear drift over an up-and-down loop falls out too.

    Raises
    ------
    FitFailed
        Fewer than three fields with both signs.
    """
    sets, slopes = [], []
    for configuration in np.unique(readings.configuration):
        part = readings.part(readings.configuration == configuration)
        found = []
        for branch in _two_signed(part.field_t):
            field, odd = odd_part(part.field_t[branch], part.resistance_ohm[branch])
            if len(field) >= 3:
                found.append((field, odd))
                slopes.append(float(field @ odd / (field @ field)))
        if found:
            sets.append(_averaged(found))
    if not sets:
        raise FitFailed("fewer than three fields of both signs", "a sweep through zero", "Sweep from +H to -H.")
    field = np.concatenate([f for f, _ in sets])
    odd = np.concatenate([o for _, o in sets])
    return _judged(float(readings.temperature_k.mean()), field, odd, tuple(slopes))


def estimate(sheet_at: Sheet | None, hall_at: Hall | None, chosen: TransportParameters) -> Estimate:
    """Return everything that one temperature gives, with one covariance.

    n_2D = 1/(e |dR_xy/d(mu0 H)|) and mu = |dR_xy/d(mu0 H)| / R_s, only where the Hall effect is linear and its slope is
    significant. A positive slope means holes in the wiring as recorded.
    """
    quantities: list[str] = []
    values: list[float] = []
    rows: list[list[float]] = []
    notes: list[str] = []
    systematics: dict[str, FloatArray] = {}
    std_s = sheet_at.statistical_std_ohm if sheet_at else 0.0
    std_h = hall_at.slope_std_ohm_per_t if hall_at else 0.0
    if sheet_at:
        rs = sheet_at.sheet_resistance_ohm
        quantities += ["sheet_resistance_ohm", "sigma_2d_s"]
        values += [rs, 1.0 / rs]
        rows += [[1.0, 0.0, 0.0], [-1.0 / rs**2, 0.0, 0.0]]
        notes += sheet_at.notes
    if hall_at:
        slope = hall_at.slope_ohm_per_t
        quantities.append("hall_slope_ohm_per_t")
        values.append(slope)
        rows.append([0.0, 1.0, 0.0])
        if hall_at.verdict == "anomalous":
            quantities.append("anomalous_hall_ohm")
            values.append(hall_at.anomalous_ohm)
            rows.append([0.0, 0.0, 1.0])
            notes.append("The Hall effect has an anomalous term: no density is given.")
        elif hall_at.verdict == "undecided":
            notes.append("Whether the Hall effect is linear cannot be told: no density is given.")
        elif abs(slope) < chosen.significance * std_h:
            notes.append(f"The Hall slope is within {chosen.significance:g} sigma of zero: no density is given.")
        else:
            density = 1e-4 / (ELEMENTARY_CHARGE_C.value * abs(slope))
            quantities.append("sheet_density_per_cm2")
            values.append(density)
            rows.append([0.0, -density / slope, 0.0])
            if sheet_at:
                mobility = 1e4 * abs(slope) / rs
                quantities.append("mobility_cm2_per_vs")
                values.append(mobility)
                rows.append([-mobility / rs, mobility / slope, 0.0])
            notes.append(
                f"{'Holes' if slope > 0 else 'Electrons'} in the wiring as recorded; one kind of carriers assumed."
            )
    matrix = np.array(rows)
    std_a = hall_at.anomalous_std_ohm if hall_at and hall_at.verdict == "anomalous" else 0.0
    covariance = matrix @ np.diag([std_s**2, std_h**2, std_a**2]) @ matrix.T
    if sheet_at and sheet_at.reciprocity_ohm > 0:
        systematics["reciprocity"] = matrix[:, 0] * sheet_at.reciprocity_ohm
    kelvin = (sheet_at or hall_at).temperature_k  # type: ignore[union-attr]
    return Estimate(
        tuple(quantities),
        np.array(values),
        covariance,
        "van der Pauw at zero field; odd part of R_xy within each branch, branches averaged, linear against linear + "
        "tanh by BIC",
        "repeat",
        (temperature_label(kelvin),) * len(quantities),
        systematics,
        tuple(notes),
    )


def temperature_label(temperature_k: float) -> str:
    """Return a temperature as people call it: '300 K', '1.8 K'."""
    return f"{round(temperature_k, 1):g} K"


def _together(stds: FloatArray, freedom: npt.NDArray[np.int64]) -> float:
    """Return the standard error of a sum whose parts' errors (N,) come from few readings, as wide as 68 % needs.

    Student's distribution with the degrees of freedom of Welch and Satterthwaite, Biometrics Bull. 2, 110 (1946).
    """
    total = float(np.sqrt(stds @ stds))
    if not total > 0 or (freedom < 1).any():
        return total
    effective = total**4 / float(np.sum(stds**4 / freedom))
    return total * float(stdtrit(effective, ONE_SIGMA))


def _zero_field(readings: Readings, chosen: TransportParameters) -> tuple[float, float, float, int]:
    """Return |R| without field, its standard error, half the spread between configurations [ohm], and its freedom."""
    largest = float(np.abs(readings.field_t).max())
    near = readings.part(np.abs(readings.field_t) <= max(chosen.zero_field_fraction * largest, 1e-3))
    if not len(near.field_t):
        raise FitFailed("no reading without field", "readings at zero field", "Measure R_A and R_B at zero field.")
    means, variances, freedom = [], [], 0
    for configuration in np.unique(near.configuration):
        values = near.resistance_ohm[near.configuration == configuration]
        means.append(abs(float(values.mean())))
        variances.append(float(values.var(ddof=1) / len(values)) if len(values) > 1 else np.nan)
        freedom += len(values) - 1
    std = float(np.sqrt(np.mean(variances) / len(means)))
    return float(np.mean(means)), std, 0.5 * float(np.ptp(means)), freedom


def _two_signed(field_t: FloatArray) -> list[slice]:
    """Return the branches that reach both signs of the field; a record without any counts as one."""
    good = [b for b in branches(field_t) if field_t[b].min() < 0 < field_t[b].max() and b.stop - b.start >= 6]
    return good or [slice(0, len(field_t))]


def _averaged(found: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Average the branches of one configuration point by point; those of another length are interpolated."""
    grid = found[0][0]
    odds = [odd if len(odd) == len(grid) else np.interp(grid, field, odd) for field, odd in found]
    return grid, np.mean(odds, axis=0)


def _judged(temperature_k: float, field: FloatArray, odd: FloatArray, slopes: tuple[float, ...]) -> Hall:
    count = len(field)
    slope = float(field @ odd / (field @ field))
    left = odd - slope * field
    variance = float(left @ left) / (count - 1)
    bic_linear = _bic(float(left @ left), count, 1)
    if count < 5:
        return Hall(
            temperature_k, field, odd, slope, float(np.sqrt(variance / (field @ field))),
            np.nan, np.nan, np.nan, 0.0, "undecided", slopes,
        )  # fmt: skip

    def with_tanh(log_scale: float) -> tuple[float, FloatArray, FloatArray]:
        design = np.column_stack([field, np.tanh(field / np.exp(log_scale))])
        solution, *_ = np.linalg.lstsq(design, odd, rcond=None)
        rest = odd - design @ solution
        return float(rest @ rest), solution, design

    top = float(field.max())
    scales = np.linspace(np.log(0.02 * top), np.log(0.5 * top), 25)
    start = scales[int(np.argmin([with_tanh(s)[0] for s in scales]))]
    width = scales[1] - scales[0]
    low, high = max(start - width, scales[0]), min(start + width, scales[-1])
    best = minimize_scalar(lambda s: with_tanh(s)[0], bounds=(low, high), method="bounded").x
    squares, solution, design = with_tanh(float(best))
    delta = bic_linear - _bic(squares, count, 3)
    if delta <= DECISIVE_BIC:
        verdict = "linear" if delta <= 0 else "undecided"
        return Hall(
            temperature_k, field, odd, slope, float(np.sqrt(variance / (field @ field))),
            np.nan, np.nan, np.nan, delta, verdict, slopes,
        )  # fmt: skip
    noise = squares / max(count - 3, 1)
    spread = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * noise)
    return Hall(
        temperature_k, field, odd, float(solution[0]), float(spread[0]),
        float(solution[1]), float(spread[1]), float(np.exp(best)), delta, "anomalous", slopes,
    )  # fmt: skip


def _bic(squares: float, count: int, parameters: int) -> float:
    return float(count * np.log(max(squares, 1e-300) / count) + parameters * np.log(count))
