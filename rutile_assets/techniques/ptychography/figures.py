"""Figures of the ptychography room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome

FloatArray = npt.NDArray[np.float64]

DEPTHS = 4
MODES = 3


def reconstruction(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the phase at some depths and their mean, the strongest probe modes, the errors and how far halves agree."""
    rows = outcome.tables.get("ptychography")
    if rows is None or rows.empty:
        return None
    row = rows.to_dict("records")[0]
    potential, probe = film.array(row["object_array"]), film.array(row["probe_array"])
    seen = potential[
        :,
        row["field_first_row_index"] : row["field_last_row_index"] + 1,
        row["field_first_column_index"] : row["field_last_column_index"] + 1,
    ]
    figure = Figure(figsize=(13.0, 6.4), layout="constrained")
    panels = figure.subplots(2, DEPTHS + 1)
    extent = (0.0, seen.shape[2] * row["object_pixel_nm"], seen.shape[1] * row["object_pixel_nm"], 0.0)
    chosen = np.unique(np.linspace(0, len(seen) - 1, DEPTHS + 2).round().astype(int)[1:-1])
    top = float(np.quantile(seen[chosen], 0.999))
    for axes, index in zip(panels[0], chosen, strict=False):
        axes.imshow(seen[index], cmap="gray", vmin=0.0, vmax=top, extent=extent)
        axes.set_title(f"slice {index + 1}, {(index + 0.5) * row['slice_thickness_nm']:.1f} nm deep", fontsize=9)
    mean = panels[0, DEPTHS].imshow(seen.mean(0), cmap="gray", extent=extent)
    panels[0, DEPTHS].set_title("mean of all slices (rad)", fontsize=9)
    figure.colorbar(mean, ax=panels[0, DEPTHS], shrink=0.8)
    for axes in panels[0]:
        axes.set_xlabel("fast (nm)")
    panels[0, 0].set_ylabel("slow (nm)")
    _probe(panels[1, :MODES], probe, outcome)
    _errors(panels[1, MODES], outcome)
    _agreement(panels[1, MODES + 1], outcome, row)
    return figure


def _probe(panels: Any, probe: FloatArray, outcome: Outcome) -> None:
    powers = outcome.tables["ptychography_mode"].power_fraction.to_numpy(dtype=float)
    for number, axes in enumerate(panels):
        axes.set_axis_off()
        if number < probe.shape[1]:
            wave = np.fft.ifft2(probe[0, number] + 1j * probe[1, number])  # its middle is the window's
            axes.imshow(np.abs(wave), cmap="magma")
            axes.set_title(f"probe mode {number + 1}: {powers[number]:.1%}", fontsize=9)


def _errors(axes: Axes, outcome: Outcome) -> None:
    table = outcome.tables["ptychography_iteration"]
    axes.semilogy(
        table.iteration_index, table.fitted_chi_square_ratio, "o-", ms=3, color="#3b7dd8", label="χ² per pixel"
    )
    axes.semilogy(
        table.iteration_index, table.withheld_deviance_ratio, "s-", ms=3, color="#e0533d", label="withheld deviance"
    )
    kept = table[table.is_kept]
    axes.semilogy(kept.iteration_index, kept.fitted_chi_square_ratio, "k*", ms=9, label="kept")
    axes.set_xlabel("iteration")
    axes.legend(fontsize=7, frameon=False)


def _agreement(axes: Axes, outcome: Outcome, row: Mapping[Any, Any]) -> None:
    table = outcome.tables.get("ptychography_correlation")
    if table is None:
        axes.set_axis_off()
        return
    axes.plot(table.frequency_per_angstrom, table.correlation_factor, color="#3b7dd8", label="halves")
    axes.plot(table.frequency_per_angstrom, table.half_bit_factor, ":", color="0.4", label="half bit")
    axes.set_xlabel("spatial frequency (1/Å)")
    axes.set_ylim(-0.1, 1.05)
    axes.legend(fontsize=7, frameon=False)
    found = row.get("half_data_resolution_nm")
    if found is not None and np.isfinite(float(found)):
        axes.set_title(f"halves agree to {1e3 * float(found):.0f} pm", fontsize=9)
