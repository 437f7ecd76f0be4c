"""The look of the figures: widths of a journal's columns, type, colours that are told apart without colour vision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import FigureBase
from matplotlib.ticker import FuncFormatter, NullFormatter

MM_PER_INCH = 25.4
SINGLE_MM, DOUBLE_MM = 88.0, 180.0  # one column and two of Nature Communications
PNG_DPI = 300
TEXT_PT, LETTER_PT = 7.0, 8.0
# Okabe and Ito, jfly.uni-koeln.de/color
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, PALE = "0.35", "0.8"
ELEMENTS = {"Ti": BLUE, "Ru": VERMILION, "O": YELLOW}
SIMULATED = "simulated"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same file on every machine
    "font.size": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "xtick.labelsize": TEXT_PT,
    "ytick.labelsize": TEXT_PT,
    "legend.fontsize": TEXT_PT,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.labelspacing": 0.3,
    "legend.borderaxespad": 0.4,
    "axes.linewidth": 0.6,
    "axes.labelpad": 2.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "mathtext.fontset": "dejavusans",
    "svg.fonttype": "none",
    "svg.hashsalt": "rutile_assets",
    "pdf.fonttype": 42,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}
BARS: Mapping[str, Any] = {"fmt": "o", "ms": 3.5, "lw": 0.8, "elinewidth": 0.7, "capsize": 1.2, "capthick": 0.6}


def head(host: FigureBase, letter: str, *, is_simulated: bool) -> None:
    """Write a panel's letter at its upper left, and at its upper right that its data are simulated."""
    host.suptitle(letter or " ", x=0.005, ha="left", va="top", fontsize=LETTER_PT, fontweight="bold")
    if is_simulated:
        host.text(0.995, 0.985, SIMULATED, ha="right", va="top", fontsize=TEXT_PT, color=GREY)


def log_ticks(axis: Axis) -> None:
    """Write the powers of ten of a logarithmic axis as plain text, which stays text in every format."""
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"10{_raised(round(np.log10(value)))}" if value > 0 else "")
    )
    axis.set_minor_formatter(NullFormatter())


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def say(host: FigureBase, words: str) -> None:
    """Write in a panel's place why it is not drawn."""
    axes = host.subplots()
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(linestyle=(0, (3, 3)), color=PALE)
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, wrap=True, transform=axes.transAxes)


def nice_length(width: float) -> float:
    """Return the longest 1, 2 or 5 times a power of ten that is at most two fifths of a width, in its unit."""
    power = 10.0 ** np.floor(np.log10(0.4 * width))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= 0.4 * width))


def scale_bar(axes: Axes, length: float, label: str, *, width: float, height: float) -> None:
    """Draw a bar of a length in the axes' unit at the lower left of an image so wide and high, with its label."""
    low, high = axes.get_ylim()
    up = 1.0 if high > low else -1.0
    left, bottom = min(axes.get_xlim()) + 0.05 * width, low + up * 0.05 * height
    back = {"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 1.2}
    axes.plot([left, left + length], [bottom, bottom], color="white", lw=2.0, solid_capstyle="butt")
    axes.text(left, bottom + up * 0.025 * height, label, color="white", va="bottom", ha="left", bbox=back)
