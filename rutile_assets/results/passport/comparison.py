"""The page of what changed between two versions of the numbers, and its picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rutile_assets.lake.home import Home
from rutile_assets.provenance.diff import CHANGED, CORRELATION, NEW, SAME, VANISHED, Change, Summary, summarise
from rutile_assets.results.passport.render import put, rendered
from rutile_assets.results.passport.write import copy_assets

PAGE, PICTURE = "diff.html", "diff.svg"
MOST_SHOWN = 2000  # numbers that the page lists; the command prints all
LINEAR = 0.01  # pulls below it stand on a linear scale
ROW_INCHES, MOST_ROWS = 0.22, 60


def write_diff(home: Home, a: str, b: str, changes: Sequence[Change], notes: Sequence[str]) -> Path:
    """Write reports/diff.html and diff.svg of two versions and return the page.

    Parameters
    ----------
    home : Home
        The lab's.
    a, b : str
        What the versions are.
    changes : sequence of Change
        Every number of either.
    notes : sequence of str
        What a reader must know.
    """
    copy_assets(home)
    moved = [change for change in changes if change.kind != SAME]
    picture = drawn(a, b, changes)
    target = home.reports / PICTURE
    if picture is None:
        target.unlink(missing_ok=True)
    else:
        put(target, picture)
    counts = {kind: sum(change.kind == kind for change in changes) for kind in (CHANGED, NEW, VANISHED, SAME)}
    path = home.reports / PAGE
    put(
        path,
        rendered(
            "diff.html", root="", a=a, b=b, counts=counts, notes=notes, correlation=CORRELATION,
            moved=moved[:MOST_SHOWN],
            more=max(len(moved) - MOST_SHOWN, 0), picture=PICTURE if picture is not None else None,
            summary=[row for row in summarise(changes) if row.changed or row.new or row.vanished],
        ),
    )  # fmt: skip
    return path


def drawn(a: str, b: str, changes: Sequence[Change]) -> str | None:
    """Return an SVG of every difference in units of A's sigma, a row a quantity; None where nothing has moved."""
    moved = [change for change in changes if change.kind == CHANGED and change.pull is not None]
    rows = [row for row in summarise(moved) if row.largest_pull is not None]
    rows = sorted(rows, key=_largest, reverse=True)[:MOST_ROWS]
    if not rows:
        return None
    figure = Figure(figsize=(7.5, 1.4 + ROW_INCHES * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        pulls = np.array([c.pull for c in moved if c.quantity == row.quantity], dtype=float)
        axes.plot(pulls, np.full(len(pulls), place), "o", ms=4, alpha=0.5, mew=0, color="#0072B2")
        axes.plot([row.median_pull or 0.0], [place], "|", ms=11, mew=1.6, color="#D55E00")
    axes.axvspan(-1.0, 1.0, color="0.93", zorder=0)
    axes.axvline(0.0, color="0.4", lw=0.8)
    axes.set_xscale("symlog", linthresh=LINEAR)
    axes.set_yticks(range(len(rows)), [f"{row.quantity} ({row.changed})" for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    reach = max(1.5, 1.3 * max(_largest(row) for row in rows))
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("difference, in units of A's σ; band: one σ; bar: median")
    axes.set_title(f"A: {a}\nB: {b}", fontsize=9, loc="left")
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _largest(row: Summary) -> float:
    return abs(row.largest_pull or 0.0)
