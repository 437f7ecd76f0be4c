"""The work function against thickness, as in the paper's Fig. 2b."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rutile_assets.provenance.film import Films, Outcome

POINT, CURVE, STRAIGHT, BENT = "#1b1b1b", "#0072b2", "#d55e00", "#009e73"  # told apart without colour vision


def against_thickness(films: Films, outcome: Outcome) -> Figure | None:
    """Draw each series: samples with their own errors, the curve with one sigma, and the band's share twice."""
    samples, curves = outcome.tables["work_function"], outcome.tables["work_function_curve"]
    fits = outcome.tables["work_function_fit"]
    series = list(dict.fromkeys(curves.series))
    if not series:
        return None
    growth = films.table("growth")
    simulated = set(growth.growth_id[growth.origin == "simulated"])
    figure = Figure(figsize=(1.2 + 4.2 * len(series), 3.9), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(series))), series, strict=True):
        found = fits[(fits.series == name) & (fits.curve_model == "average")].to_dict("records")[0]
        here = samples[(samples.series == name) | (samples.film_thickness_nm == 0.0)]
        here = here[here.work_function_kpfm_ev.notna()]
        _draw(axes, here, curves[curves.series == name], bool(found["has_peak"]))
        said = " (simulated)" if set(here.growth_id) & simulated else ""
        peak = f"peak at {found['peak_thickness_nm']:.2f} ± {found['peak_thickness_nm_std']:.2f} nm"
        axes.set_title(f"{name}{said}\n{peak if found['has_peak'] else 'no peak claimed'}", fontsize=9)
        axes.set_xlabel("thickness (nm)")
        axes.set_ylabel("work function (eV)")
        scale = float(np.sqrt(np.median(np.maximum(_shared(here), 0.0))))
        axes.text(0.98, 0.02, f"common scale ± {scale:.3f} eV", transform=axes.transAxes, ha="right", fontsize=8)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure


def _draw(axes: Axes, here: pd.DataFrame, drawn: pd.DataFrame, has_peak: bool) -> None:
    t, y = drawn.curve_thickness_nm.to_numpy(dtype=float), drawn.curve_work_function_ev.to_numpy(dtype=float)
    sigma = drawn.curve_work_function_ev_std.to_numpy(dtype=float)
    axes.fill_between(t, y - sigma, y + sigma, color=CURVE, alpha=0.2, lw=0)
    axes.plot(t, y, color=CURVE, lw=1.6, label="curve, ±1 sigma")
    if has_peak:
        axes.plot(t, drawn.linear_band_ev, "--", color=STRAIGHT, lw=1.2, label="linear band")
        if drawn.saturating_band_ev.notna().all():
            axes.plot(t, drawn.saturating_band_ev.astype(float), ":", color=BENT, lw=1.6, label="saturating band")
    axes.errorbar(
        here.film_thickness_nm.astype(float),
        here.work_function_kpfm_ev.astype(float),
        here.work_function_own_ev.astype(float),
        here.film_thickness_nm_std.astype(float).fillna(0.0),
        fmt="o",
        ms=4,
        color=POINT,
        elinewidth=1.0,
        label="samples, own errors",
    )


def _shared(here: pd.DataFrame) -> pd.Series[float]:
    """Return the variance that the samples share [eV^2]."""
    return here.work_function_kpfm_ev_std.astype(float) ** 2 - here.work_function_own_ev.astype(float) ** 2
