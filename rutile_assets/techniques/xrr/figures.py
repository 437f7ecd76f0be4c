"""Figures of the reflectivity room."""

from __future__ import annotations

from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome


def reflectivity(film: Film, outcome: Outcome) -> Figure | None:
    """Draw each measured curve with its fit, and the residuals below."""
    curves = outcome.tables.get("xrr_fit_curve")
    if curves is None:
        return None
    names = {file.file_id: file.name for file in film.files}
    figure = Figure(figsize=(7, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for number, (file_id, curve) in enumerate(curves.groupby("file_id")):
        shift = 10.0 ** (-2 * number)
        measured = curve.measured_counts_per_s.where(curve.measured_counts_per_s > 0)
        upper.semilogy(
            curve.two_theta_deg, measured * shift, ".", ms=2, color="0.45", label=names.get(int(str(file_id)))
        )
        upper.semilogy(curve.two_theta_deg, curve.fitted_counts_per_s * shift, "-", lw=1.1, color="#b2452f")
        lower.plot(curve.two_theta_deg, curve.residual, lw=0.6, color="#2f5f8a")
    upper.set_ylabel("rate (counts/s)" + (", curves shifted" if curves.file_id.nunique() > 1 else ""))
    upper.legend(frameon=False, fontsize=8, markerscale=3)
    lower.axhline(0.0, lw=0.6, color="0.3")
    lower.set_ylabel("residual (σ)")
    lower.set_xlabel("2θ (deg)")
    return figure
