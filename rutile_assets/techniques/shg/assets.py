"""The second harmonic room: scans to a table, scans to azimuth harmonics and the symmetry of what radiates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import FitFailed, InvalidRecord, RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Measurement, Scan
from rutile_assets.physics.second_harmonic import CHANNELS, channel_angles
from rutile_assets.provenance.film import Film, Outcome, RawFile, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.scans import usable
from rutile_assets.techniques.shg import figures
from rutile_assets.techniques.shg.fraction import SsFraction, ss_fraction
from rutile_assets.techniques.shg.harmonics import Harmonics, azimuth_harmonics
from rutile_assets.techniques.shg.likelihood import ShgPoints
from rutile_assets.techniques.shg.mixture import Mixture, dipole_fraction
from rutile_assets.techniques.shg.model import (
    ShgFitParameters,
    Symmetry,
    decide,
    in_channel,
    measured_channels,
    response,
)
from rutile_assets.techniques.shg.tables import SHG_FIT, SHG_FIT_MODEL, SHG_FIT_POINT, SHG_SCAN, SHG_SCAN_HARMONIC
from rutile_assets.techniques.shg.trend import shg_trend

FloatArray = npt.NDArray[np.float64]

OTHER = "other"
HIGHEST_HARMONIC = 8


def check(measurement: Measurement) -> None:
    """Refuse a file that holds no angles of sample, polariser or analyser.

    Raises
    ------
    WrongContent
        See above.
    """
    for scan in measurement.scans:
        if not {"azimuth_deg", "polariser_deg", "analyser_deg"} & set(scan.columns):
            raise WrongContent("a scan without angles", "azimuth, polariser or analyser", "Drop the azimuth scan.")
    if not measurement.scans:
        raise WrongContent("no scan", "an azimuth scan", "Drop the azimuth scan.")


@film_asset(room="shg", files="shg", writes=(SHG_SCAN, SHG_SCAN_HARMONIC))
def shg_scan(film: Film) -> Outcome:
    """Second harmonic as measured, point by point, and the azimuth harmonics of each channel."""
    outcome = Outcome()
    frames: list[pd.DataFrame] = []
    harmonics: list[dict[str, object]] = []
    for file, measurement in usable(film, outcome, check):
        for index, scan in enumerate(measurement.scans, start=1):
            frame = _points(scan, file, index)
            frames.append(frame)
            try:
                found = _harmonics(frame, measurement)
            except FitFailed as fault:
                outcome.notes.append(f"{file.name}, {frame.channel.iloc[0]}: no harmonics: {fault}")
                continue
            harmonics += _harmonic_rows(found, frame)
    if frames:
        outcome.tables["shg_scan"] = pd.concat(frames, ignore_index=True)
    if harmonics:
        outcome.tables["shg_scan_harmonic"] = pd.DataFrame(harmonics)
    return outcome


def _points(scan: Scan, file: RawFile, index: int) -> pd.DataFrame:
    counted = "intensity_counts" in scan.columns
    said = scan.settings.get("channel")
    angles = channel_angles(str(said)) if said in CHANNELS else (np.nan, np.nan)
    count = scan.points
    polariser = scan.columns.get("polariser_deg", np.full(count, angles[0]))
    analyser = scan.columns.get("analyser_deg", np.full(count, angles[1]))
    return pd.DataFrame(
        {
            "file_id": file.file_id,
            "scan_index": index,
            "point_index": np.arange(1, count + 1),
            "channel": said if said in CHANNELS else OTHER,
            "azimuth_deg": scan.columns.get("azimuth_deg", np.zeros(count)),
            "polariser_deg": polariser,
            "analyser_deg": analyser,
            "intensity_counts": scan.columns["intensity_counts" if counted else "relative_intensity_ratio"],
            "is_counted": counted,
            "reference_ratio": scan.columns.get("reference_ratio", np.ones(count)),
        }
    )


def _background(measurement: Measurement) -> tuple[float | None, float]:
    value = measurement.settings.get("background_counts")
    std = measurement.settings.get("background_counts_std")
    return (
        float(value) if isinstance(value, int | float) else None,
        float(std) if isinstance(std, int | float) else 0.0,
    )


def _harmonics(frame: pd.DataFrame, measurement: Measurement) -> Harmonics:
    if frame.azimuth_deg.nunique() < 2:
        raise FitFailed("one azimuth", "a turn of the sample", "Polarimetry stays a table.")
    counted = bool(frame.is_counted.iloc[0])
    turn = np.mod(frame.azimuth_deg.to_numpy(dtype=float), 360.0)
    highest = min(HIGHEST_HARMONIC, (len(np.unique(np.round(turn, 3))) - 2) // 2)
    return azimuth_harmonics(
        frame.azimuth_deg.to_numpy(dtype=float),
        frame.intensity_counts.to_numpy(dtype=float),
        highest,
        frame.reference_ratio.to_numpy(dtype=float) if counted else None,
        np.full(len(frame), _background(measurement)[0] or 0.0) if counted else None,
    )


def _harmonic_rows(found: Harmonics, frame: pd.DataFrame) -> list[dict[str, object]]:
    counted = bool(frame.is_counted.iloc[0])
    source = "counting" if counted else "repeat"
    rows = []
    for n in range(found.highest + 1):
        row: dict[str, object] = {
            "file_id": int(frame.file_id.iloc[0]),
            "scan_index": int(frame.scan_index.iloc[0]),
            "channel": frame.channel.iloc[0],
            "harmonic_order": n,
            "is_counted": counted,
        }
        for name, value, sigma in (
            ("cosine_counts", found.cosines[n], found.std[n, 0]),
            ("sine_counts", found.sines[n], found.std[n, 1]),
            ("harmonic_amplitude_counts", found.amplitudes[n], found.amplitudes_std[n]),
        ):
            row |= {name: value, f"{name}_std": sigma, f"{name}_std_source": source}
        rows.append(row)
    return rows


@film_asset(
    room="shg",
    files="shg",
    reads=("shg_scan",),
    writes=(SHG_FIT, SHG_FIT_MODEL, SHG_FIT_POINT),
    parameters=ShgFitParameters,
    kinds=("python", "numpy"),
    figure=figures.polar,
)
def shg_fit(film: Film) -> Outcome:
    """Symmetry of a film's second harmonic by BIC: mm2 dipole, 4/mmm quadrupole, both, or undecided.

    A (110) surface of 4/mmm rutile is itself mm2: a dipole alone proves no polar film. Files of one angle of incidence
    are fitted together; intensities in arbitrary units stay a table of harmonics.
    """
    outcome = Outcome()
    scans = film.table("shg_scan")
    by_incidence: dict[float, list[tuple[RawFile, Measurement]]] = {}
    for file in film.files:
        if scans.empty or not (scans.file_id == file.file_id).any():
            continue
        measurement = film.measurement(file)
        incidence = measurement.settings.get("angle_of_incidence_deg")
        if not measurement.settings.get("counts"):
            outcome.notes.append(f"{file.name}: not fitted: nothing says that it was counted (`counts: true`).")
        elif not isinstance(incidence, int | float):
            outcome.notes.append(f"{file.name}: not fitted: write `angle_of_incidence_deg` into the file's sidecar.")
        else:
            by_incidence.setdefault(float(incidence), []).append((file, measurement))
    rows, models, points = [], [], []
    for incidence, files in sorted(by_incidence.items()):
        try:
            made = _fit(film, scans, incidence, files)
        except RutileError as fault:
            outcome.notes.append(f"at {incidence:g} deg: not fitted: {fault}")
            continue
        seen, told, part, mixture = made
        file_id = files[0][0].file_id if len(files) == 1 else None
        outcome.results += _results(told, part, mixture, incidence, len(by_incidence) > 1, file_id)
        outcome.notes += [f"at {incidence:g} deg: {told.verdict}", *told.notes]
        rows.append(_row(incidence, seen, told, part, mixture))
        models += _model_rows(incidence, seen, told)
        points.append(_point_rows(incidence, seen, told))
    if rows:
        outcome.tables = {
            "shg_fit": pd.DataFrame(rows),
            "shg_fit_model": pd.DataFrame(models),
            "shg_fit_point": pd.concat(points, ignore_index=True),
        }
    return outcome


def _fit(
    film: Film, scans: pd.DataFrame, incidence: float, files: list[tuple[RawFile, Measurement]]
) -> tuple[ShgPoints, Symmetry, SsFraction | None, Mixture | None]:
    chosen: ShgFitParameters = film.parameters
    here = scans[scans.file_id.isin([file.file_id for file, _ in files])]
    if here.polariser_deg.isna().any() or here.analyser_deg.isna().any():
        raise InvalidRecord("a scan of unknown polarisation", "pp, ps, sp or ss", "Write `polarization` beside it.")
    dark = {file.file_id: _background(measurement) for file, measurement in files}
    times = {file.file_id: float(str(m.settings.get("counting_time_s") or 1.0)) for file, m in files}
    longest = max(times.values())
    exposure: FloatArray = np.asarray(here.reference_ratio * here.file_id.map(times) / longest, dtype=np.float64)
    background: FloatArray = np.asarray(here.file_id.map({k: v or 0.0 for k, (v, _) in dark.items()}), dtype=np.float64)
    points = ShgPoints(
        here.azimuth_deg.to_numpy(dtype=float),
        here.polariser_deg.to_numpy(dtype=float),
        here.analyser_deg.to_numpy(dtype=float),
        here.intensity_counts.to_numpy(dtype=float),
        exposure,
        background,
    )
    is_free = any(value is None for value, _ in dark.values())
    told = decide(points, incidence, chosen, np.random.default_rng(film.seed), is_background_free=is_free)
    std = max(sigma for _, sigma in dark.values())
    part = ss_fraction(points, std) if len(measured_channels(points)) == len(CHANNELS) and not is_free else None
    shapes = [
        getattr(chosen, name) or next((m.settings[name] for _, m in files if name in m.settings), None)
        for name in ("dipole_elements", "quadrupole_elements")
    ]
    if part is None or any(shape is None for shape in shapes):
        return points, told, part, None
    seen = response(incidence, chosen)
    mixture = dipole_fraction(points, seen, np.array(shapes[0]), np.array(shapes[1]), chosen.offset_deg)
    return points, told, part, mixture


def _results(
    told: Symmetry, part: SsFraction | None, mixture: Mixture | None, incidence: float, many: bool, file_id: int | None
) -> list[Result]:
    subject = (f"{incidence:g} deg",) if many else ("",)
    notes = (f"{told.verdict}.", *told.notes)
    method = "Poisson likelihood of mm2 dipole and 4/mmm quadrupole, rank of the Jacobian in BIC"
    unknown = np.array([[np.nan]])
    found = [
        Result(
            Estimate(
                ("shg_delta_bic",), np.array([told.delta_bic]), unknown, method, "covariance", subject, notes=notes
            ),
            file_id,
        )
    ]
    if part is not None:
        estimate = Estimate(
            ("shg_ss_fraction",),
            np.array([part.value]),
            np.array([[part.std**2]]),
            "mean over the azimuth of ss over that of the four channels, background taken off",
            "counting",
            subject,
            {"dark counts": np.array([part.background_shift])},
            notes,
        )
        found.append(Result(estimate, file_id))
    if mixture is not None:
        estimate = Estimate(
            ("shg_ed_fraction",),
            np.array([mixture.dipole_fraction]),
            np.array([[mixture.dipole_fraction_std**2]]),
            "dipole and quadrupole of known shapes with their interference, Poisson likelihood",
            "covariance",
            subject,
            {},
            notes,
        )
        found.append(Result(estimate, file_id))
    return found


def _row(
    incidence: float, points: ShgPoints, told: Symmetry, part: SsFraction | None, mixture: Mixture | None
) -> dict[str, object]:
    best = told.best
    row: dict[str, object] = {
        "angle_of_incidence_deg": incidence,
        "symmetry": told.verdict,
        "shg_delta_bic": told.delta_bic,
        "margin_delta_bic": told.margin_bic,
        "best_model": best.hypothesis.name,
        "best_rank": best.rank,
        "reduced_chi_square": best.deviance / max(len(points.counts) - best.rank, 1),
        "azimuth_offset_deg": float(np.degrees(best.vector[-2])),
        "channels_count": len(measured_channels(points)),
        "notes": " ".join(told.notes),
    }
    if part is not None:
        row |= {
            "shg_ss_fraction": part.value,
            "shg_ss_fraction_std": float(np.hypot(part.std, part.background_shift)),
            "shg_ss_fraction_std_source": "counting",
        }
    if mixture is not None:
        row |= {
            "shg_ed_fraction": mixture.dipole_fraction,
            "shg_ed_fraction_std": mixture.dipole_fraction_std,
            "shg_ed_fraction_std_source": "covariance",
        }
    return row


def _model_rows(incidence: float, points: ShgPoints, told: Symmetry) -> list[dict[str, object]]:
    return [
        {
            "angle_of_incidence_deg": incidence,
            "model": fit.hypothesis.name,
            "model_bic": fit.bic,
            "model_rank": fit.rank,
            "model_reduced_chi_square": fit.deviance / max(len(points.counts) - fit.rank, 1),
        }
        for fit in told.fits
    ]


def _point_rows(incidence: float, points: ShgPoints, told: Symmetry) -> pd.DataFrame:
    channel = np.full(len(points.counts), OTHER, dtype=object)
    for name in CHANNELS:
        channel[in_channel(points, *channel_angles(name))] = name

    def net(counts: FloatArray) -> FloatArray:
        return np.asarray((counts - points.background_counts) / points.exposure)

    frame = pd.DataFrame(
        {
            "angle_of_incidence_deg": incidence,
            "point_index": np.arange(1, len(points.counts) + 1),
            "channel": channel,
            "azimuth_deg": points.azimuth_deg,
            "net_counts": net(points.counts),
            "best_model_counts": net(told.best.expected),
        }
    )
    for source in ("dipole", "quadrupole"):
        alone = [fit for fit in told.fits if fit.hypothesis.source == source]
        if alone:
            frame[f"{source}_counts"] = net(min(alone, key=lambda fit: fit.bic).expected)
    return frame


ROOM = Room(
    name="shg",
    title="Second harmonic generation",
    folders=("shg",),
    check=check,
    assets=(shg_scan, shg_fit, shg_trend),
)
