"""Fig. 1a: the reflectivity of a capped film with its fit."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import FigureBase

from rutile_assets.provenance.film import Films
from rutile_assets.results.claims_paper import CAPPED
from rutile_assets.results.figures.panel import (
    Panel,
    digest_of,
    lacking,
    nearest_film,
    numbers_of,
    simulated,
    spelled,
    stack_words,
)
from rutile_assets.results.figures.style import BLACK, BLUE, GREY, VERMILION, log_ticks

TITLE = "Reflectivity with its fit"
ASSETS = ("growth", "xrr_fit")
THICKNESS_NM = 3.8


def reflectivity(films: Films) -> Panel:
    """Return the panel of the capped film that is nearest to the paper's."""
    fits = films.table("xrr_fit")
    film = nearest_film(films, fits, CAPPED, THICKNESS_NM)
    if film is None:
        return lacking(TITLE, ASSETS, "No fitted reflectivity of a film with a RuO₂ layer.")
    file_id = int(fits[fits.growth_id == film].file_id.min())
    curve = films.table_of("xrr_fit_curve", film)
    curve = curve[curve.file_id == file_id].sort_values("point_index")
    if curve.empty:
        return lacking(TITLE, ASSETS, f"The fit of {film}'s reflectivity has no curve.")
    fit = fits[(fits.growth_id == film) & (fits.file_id == file_id)].to_dict("records")[0]
    thick = numbers_of(films, "xrr_fit", film, "thickness_nm")
    told = ", ".join(f"{spelled(of.split()[-1])} {number} nm" for of, number in sorted(thick.items(), reverse=True))
    caption = (
        f"X-ray reflectivity of {film}, {stack_words(films, film)} (110), nominal: measured rate (points) and fit"
        f" (line), residuals in σ below. Fitted thickness: {told or 'none'}. Reduced χ²"
        f" {fit['reduced_chi_square']:.2f}."
    )
    alt = (
        f"Reflectivity against 2 theta from {curve.two_theta_deg.min():.1f} to {curve.two_theta_deg.max():.1f} degrees"
        f" on a logarithmic scale; the fit gives {told or 'no layer'}."
    )
    return Panel(
        TITLE, ASSETS, caption, alt, (film,), simulated(films, [film]), digest_of(curve, caption),
        lambda host: _draw(host, curve),
    )  # fmt: skip


def _draw(host: FigureBase, curve: pd.DataFrame) -> None:
    upper, lower = host.subplots(2, 1, sharex=True, height_ratios=(3.6, 1.0))
    rate = curve.measured_counts_per_s.astype(float)
    upper.semilogy(
        curve.two_theta_deg, rate.where(rate > 0), "o", ms=1.4, mew=0, color=GREY, label="measured", rasterized=False
    )
    upper.semilogy(curve.two_theta_deg, curve.fitted_counts_per_s, "-", lw=0.9, color=VERMILION, label="fit")
    log_ticks(upper.yaxis)
    upper.set_ylabel("Rate (counts/s)")
    upper.legend(loc="upper right", markerscale=2.5)
    lower.axhline(0.0, lw=0.5, color=BLACK)
    lower.plot(curve.two_theta_deg, curve.residual, ".", ms=1.0, color=BLUE)
    lower.set(ylabel="Resid. (σ)", xlabel="2θ (°)", ylim=(-5.0, 5.0), yticks=(-4, 0, 4))
    lower.set_xlim(0.0, None)
