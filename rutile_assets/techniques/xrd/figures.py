"""Figures of the diffraction room."""

from __future__ import annotations

from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome


def laue(film: Film, outcome: Outcome) -> Figure | None:
    """Draw each scan about the substrate's peak with its fit; the masked peak stays empty."""
    curves = outcome.tables.get("xrd_fit_curve")
    if curves is None:
        return None
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (_, curve) in enumerate(curves.groupby("file_id")):
        shift = 10.0 ** (-2 * number)
        measured = curve.measured_counts_per_s.where(curve.measured_counts_per_s > 0)
        axes.semilogy(curve.two_theta_deg, measured * shift, ".", ms=2, color="0.45", label="measured")
        masked = curve.two_theta_deg.diff() > 5 * curve.two_theta_deg.diff().median()
        fitted = curve.fitted_counts_per_s.mask(masked) * shift
        axes.semilogy(curve.two_theta_deg, fitted, "-", lw=1, color="#b2452f")
    axes.set_xlabel("2θ (deg)")
    axes.set_ylabel("rate (counts/s)")
    return figure
