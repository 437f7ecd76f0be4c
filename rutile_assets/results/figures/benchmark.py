"""Fig. 3: work functions that others have modulated, each row by what is known of its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch, Rectangle

from rutile_assets.provenance.film import Films
from rutile_assets.results.claims_benchmark import COLOURS, STATUSES, UNSOURCED
from rutile_assets.results.figures.panel import Panel, digest_of, lacking, spelled
from rutile_assets.results.figures.style import BLACK, GREY, PALE

TITLE = "Modulation of work functions by system and method"
ASSETS = ("claims",)
BAR = 0.62


def benchmark(films: Films) -> Panel:
    """Return the panel of the benchmark table, sourced rows and those without a source alike."""
    rows = films.table("claims_benchmark").sort_values("benchmark_index")
    if rows.empty:
        return lacking(TITLE, ASSETS, "The benchmark table is empty.")
    is_simulated = bool(rows.is_simulated.any())
    counts = rows.benchmark_status.value_counts()
    said = ", ".join(f"{counts[status]} {status}" for status in STATUSES if status in counts)
    caption = (
        "Ranges of the work function by system and method, as Fig. 3 compares them: ends (left) and length of the range"
        f" (right). Colour: status of the source ({said}); hatched: no source at hand bears the number."
    )
    alt = f"Horizontal bars of work function ranges, one a system and method; {said}."
    return Panel(
        TITLE, ASSETS, caption, alt, (), is_simulated, digest_of(rows, caption), lambda host: _draw(host, rows)
    )


def _draw(host: FigureBase, rows: pd.DataFrame) -> None:
    ends, lengths = host.subplots(1, 2, sharey=True, width_ratios=(1.25, 1.0))
    for place, row in enumerate(rows.to_dict("records")):
        _row(ends, lengths, place, row)
    labels = [
        f"{spelled(str(row['system']))}: {row['modulation_method']}" + (" (simulated)" if row["is_simulated"] else "")
        for row in rows.to_dict("records")
    ]
    ends.set_yticks(range(len(rows)), labels)
    ends.set_ylim(len(rows) - 0.4, -0.6)
    ends.set_xlabel("Work function Φ (eV)")
    low, high = rows.lowest_work_function_ev.min(), rows.highest_work_function_ev.max()
    if pd.notna(low):
        ends.set_xlim(np.floor(2.0 * low) / 2.0 - 0.1, np.ceil(2.0 * high) / 2.0 + 0.1)
    longest = rows.work_function_range_ev.astype(float).max()
    lengths.set_xlim(0.0, 1.3 * longest if pd.notna(longest) else 1.0)
    lengths.set_xlabel("Range ΔΦ (eV)")
    for axes in (ends, lengths):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=PALE, lw=0.4)
        axes.set_axisbelow(True)
    shown = [status for status in STATUSES if status in set(rows.benchmark_status)]
    handles = [
        Patch(facecolor=COLOURS[s], edgecolor=GREY, lw=0.5, hatch="/////" if s == UNSOURCED else None, label=s)
        for s in shown
    ]
    host.legend(handles=handles, loc="outside lower center", ncols=len(shown))


def _row(ends: Axes, lengths: Axes, place: int, row: Mapping[Any, Any]) -> None:
    status = str(row["benchmark_status"])
    look: dict[str, Any] = {
        "height": BAR, "color": COLOURS[status], "edgecolor": GREY, "lw": 0.5,
        "hatch": "/////" if status == UNSOURCED else None,
    }  # fmt: skip
    low, high, length = (
        row[name] for name in ("lowest_work_function_ev", "highest_work_function_ev", "work_function_range_ev")
    )
    if pd.notna(low) and pd.notna(high):
        ends.barh(place, float(high) - float(low), left=float(low), **look)
    else:
        _without(ends, place, status, "ends not known")
    if pd.notna(length):
        lengths.barh(place, float(length), **look)
        lengths.annotate(
            f"{float(length):.2f}", (float(length), place), xytext=(3, 0), textcoords="offset points", va="center",
            color=BLACK,
        )  # fmt: skip
    else:
        _without(lengths, place, status, "no number at hand")


def _without(axes: Axes, place: int, status: str, words: str) -> None:
    """Write that a row has no number; one without a source is hatched from side to side."""
    if status == UNSOURCED:
        across = Rectangle(
            (0.0, place - 0.5 * BAR),
            1.0,
            BAR,
            transform=axes.get_yaxis_transform(),
            fc="none",
            ec=PALE,
            hatch="/////",
            lw=0,
        )
        axes.add_patch(across)
    back = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    axes.text(0.03, place, words, transform=axes.get_yaxis_transform(), va="center", color=GREY, bbox=back)
