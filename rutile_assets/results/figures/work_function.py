"""Fig. 2b: the work function of bare films against thickness, and what of it a band does not explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from rutile_assets.provenance.film import Films
from rutile_assets.results.claims_paper import BARE
from rutile_assets.results.figures.panel import Panel, digest_of, lacking, simulated, spelled
from rutile_assets.results.figures.style import BARS, BLACK, BLUE, GREEN, GREY, PURPLE, VERMILION
from rutile_assets.results.passport.numbers import measured

FloatArray = npt.NDArray[np.float64]

TITLE = "Work function against thickness"
ASSETS = ("growth", "work_function", "ups_fit")
THRESHOLD_EV = 1.0  # that the paper says the polarization-induced component exceeds


def work_function(films: Films) -> Panel:
    """Return the panel of the bare series, or of the first series that has a curve."""
    samples, curves, fits = (films.table(f"work_function{part}") for part in ("", "_curve", "_fit"))
    names = list(dict.fromkeys(curves.series))
    if not names:
        return lacking(TITLE, ASSETS, "No series whose work function was followed over thickness.")
    series = BARE if BARE in names else names[0]
    curve = curves[curves.series == series].sort_values("point_index")
    fit = fits[(fits.series == series) & (fits.curve_model == "average")].to_dict("records")[0]
    here = samples[(samples.series == series) | (samples.film_thickness_nm == 0.0)]
    here = here[here.work_function_kpfm_ev.notna()].sort_values("film_thickness_nm")
    spectra = _photoelectrons(films, here)
    shared = shared_ev(here)
    caption = _caption(series, fit, shared, has_spectra=not spectra.empty)
    shown = tuple(sorted(here.growth_id))
    alt = (
        f"Work function of {len(here)} samples from {here.film_thickness_nm.min():.1f} to"
        f" {here.film_thickness_nm.max():.1f} nm, between {here.work_function_kpfm_ev.min():.2f} and"
        f" {here.work_function_kpfm_ev.max():.2f} eV; {_peak(fit)}."
    )
    return Panel(
        TITLE, ASSETS, caption, alt, shown, simulated(films, shown), digest_of(here, curve, spectra, caption),
        lambda host: draw_work_function(host, series, here, curve, spectra, fit, shared),
    )  # fmt: skip


def _photoelectrons(films: Films, here: pd.DataFrame) -> pd.DataFrame:
    """Return each sample's work function by its own photoelectrons, with all its errors, beside its thickness."""
    numbers = films.numbers("ups_fit")
    if numbers.empty:
        return pd.DataFrame(columns=["growth_id", "value", "sigma", "film_thickness_nm"])
    found = numbers[numbers.quantity == "work_function_ev"].sort_values("result_id")
    found = found.drop_duplicates("growth_id", keep="last")[["growth_id", "value", "sigma"]]
    return found.merge(here[["growth_id", "film_thickness_nm"]], on="growth_id").sort_values("growth_id")


def shared_ev(here: pd.DataFrame) -> float:
    """Return the one sigma that moves all samples of ``work_function`` together [eV]."""
    whole, own = here.work_function_kpfm_ev_std.astype(float), here.work_function_own_ev.astype(float)
    return float(np.sqrt(np.median(np.maximum(whole**2 - own**2, 0.0))))


def _peak(fit: dict[Any, Any]) -> str:
    if not fit["has_peak"]:
        return "no maximum between the films is claimed"
    return f"maximum at {_told(fit, 'peak_thickness_nm')} nm"


def _told(fit: dict[Any, Any], name: str) -> str:
    sigma = fit[f"{name}_std"]
    return measured(float(fit[name]), None if pd.isna(sigma) else float(sigma))


def _caption(series: str, fit: dict[Any, Any], shared: float, *, has_spectra: bool) -> str:
    parts = [
        f"Work function of {spelled(series)} (110) against the thickness of RuO₂: samples on one KPFM scale with the"
        f" errors that they do not share (a common ±{shared:.3f} eV moves all), and the averaged curve with its 1σ"
        " band",
        "; open squares: the samples' own photoelectron spectra" if has_spectra else "",
        f". {_peak(fit).capitalize()}",
    ]
    if fit["has_peak"]:
        parts.append(f", modulation {_told(fit, 'modulation_ev')} eV. Below: what lies over a straight band from the")
        parts.append(f" substrate to the thickest film ({_told(fit, 'over_linear_ev')} eV at the maximum)")
        if pd.notna(fit["over_saturating_ev"]):
            parts.append(f" and over a saturating one ({_told(fit, 'over_saturating_ev')} eV)")
    return "".join(parts) + "."


def draw_work_function(
    host: FigureBase,
    series: str,
    here: pd.DataFrame,
    curve: pd.DataFrame,
    spectra: pd.DataFrame,
    fit: Mapping[Any, Any],
    shared: float,
) -> None:
    """Draw a series' work function against thickness and, where it has a peak, what lies over its bands.

    Parameters
    ----------
    host : FigureBase
        A figure, or a part of one.
    series : str
        As in ``work_function``.
    here, curve : DataFrame
        Rows of ``work_function`` and of ``work_function_curve``.
    spectra : DataFrame
        The samples' own photoelectrons: ``film_thickness_nm``, ``value`` and ``sigma`` [eV]; may be empty.
    fit : mapping
        The row of ``work_function_fit`` of the averaged curve.
    shared : float
        One sigma that moves all samples together [eV].
    """
    if not fit["has_peak"]:
        upper = host.subplots()
        upper.set_xlabel("RuO₂ thickness (nm)")
    else:
        upper, lower = host.subplots(2, 1, sharex=True, height_ratios=(2.1, 1.0))
        _component(lower, here, curve)
        lower.set_xlabel("RuO₂ thickness (nm)")
    t, y = curve.curve_thickness_nm.to_numpy(dtype=float), curve.curve_work_function_ev.to_numpy(dtype=float)
    sigma = curve.curve_work_function_ev_std.to_numpy(dtype=float)
    upper.fill_between(t, y - sigma, y + sigma, color=BLUE, alpha=0.2, lw=0)
    upper.plot(t, y, color=BLUE, label="curve, ±1σ")
    if fit["has_peak"]:
        upper.plot(t, curve.linear_band_ev.astype(float), "--", color=VERMILION, lw=0.9, label="linear band")
        if curve.saturating_band_ev.notna().all():
            upper.plot(t, curve.saturating_band_ev.astype(float), ":", color=GREEN, lw=1.2, label="saturating band")
    _bars(upper, here, here.work_function_kpfm_ev, here.work_function_own_ev, BLACK, "KPFM scale")
    if not spectra.empty:
        upper.errorbar(
            spectra.film_thickness_nm.astype(float), spectra.value.astype(float),
            spectra.sigma.astype(float).fillna(0.0), color=PURPLE, mfc="none", mew=0.9,
            label="UPS", **{**BARS, "fmt": "s", "ms": 5.5},
        )  # fmt: skip
    upper.set_ylabel("Work function Φ (eV)")
    top = upper.get_ylim()
    upper.set_ylim(top[0] - 0.06 * (top[1] - top[0]), top[1] + 0.04 * (top[1] - top[0]))
    upper.legend(loc="lower right", ncols=1)
    upper.text(
        0.98, 0.97, f"{spelled(series)} (110)\ncommon scale ±{shared:.3f} eV", transform=upper.transAxes,
        ha="right", va="top",
    )  # fmt: skip


def _component(axes: Axes, here: pd.DataFrame, curve: pd.DataFrame) -> None:
    """Draw samples and curve less each band."""
    t = curve.curve_thickness_nm.to_numpy(dtype=float)
    y = curve.curve_work_function_ev.to_numpy(dtype=float)
    at = here.film_thickness_nm.to_numpy(dtype=float)
    bands = [("linear_band_ev", VERMILION, "o", "over linear", "-")]
    if curve.saturating_band_ev.notna().all():
        bands.append(("saturating_band_ev", GREEN, "^", "over saturating", ":"))
    for name, colour, marker, label, line in bands:
        band = curve[name].to_numpy(dtype=float)
        axes.plot(t, y - band, line, color=colour, lw=0.9)
        left = here.work_function_kpfm_ev.to_numpy(dtype=float) - np.interp(at, t, band)
        _bars(axes, here, left, here.work_function_own_ev, colour, label, marker)
    axes.axhline(0.0, lw=0.5, color=BLACK)
    axes.axhline(THRESHOLD_EV, lw=0.6, ls=(0, (4, 3)), color=GREY)
    axes.set_ylabel("Component (eV)")
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, 1.25 * THRESHOLD_EV))
    axes.annotate(
        "1 eV", (1.0, THRESHOLD_EV), xycoords=("axes fraction", "data"), xytext=(-3, 1), textcoords="offset points",
        ha="right", va="bottom", color=GREY,
    )  # fmt: skip
    axes.legend(loc="center right")


def _bars(axes: Axes, here: pd.DataFrame, y: Any, sigma: Any, colour: str, label: str, marker: str = "o") -> None:
    wide = here.film_thickness_nm_std.astype(float).fillna(0.0)
    axes.errorbar(
        here.film_thickness_nm.astype(float), np.asarray(y, dtype=float), np.asarray(sigma, dtype=float), wide,
        color=colour, label=label, **{**BARS, "fmt": marker},
    )  # fmt: skip
