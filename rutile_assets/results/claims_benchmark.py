"""Fig. 3's comparison of work functions, what is known of each row's source, and a figure that hatches what is not.

What stands in the figure alone cannot be read off without digitising it; nothing here was digitised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

STATUSES = VERIFIED, ABSTRACT, DIGITISED, UNSOURCED, HERE = (
    "verified", "abstract", "digitised", "unsourced", "this lake",
)  # fmt: skip
# Okabe and Ito's colours
COLOURS = {VERIFIED: "#0072B2", ABSTRACT: "#009E73", DIGITISED: "#56B4E9", UNSOURCED: "0.85", HERE: "#D55E00"}


@dataclass(frozen=True)
class Benchmark:
    """A row of Fig. 3.

    Parameters
    ----------
    system, modulation_method : str
        What is modulated, and how.
    lowest_work_function_ev, highest_work_function_ev, work_function_range_ev : float or None
        Ends of the range and its length [eV]; None where no source at hand gives them.
    doi, reference : str or None, str
        Its source.
    benchmark_locator : str
        Where the number stands in it.
    benchmark_status : str
        One of `STATUSES`.
    notes : str
        What a reader must know.
    """

    system: str
    modulation_method: str
    lowest_work_function_ev: float | None
    highest_work_function_ev: float | None
    work_function_range_ev: float | None
    doi: str | None
    reference: str
    benchmark_locator: str
    benchmark_status: str
    notes: str = ""


ZHOU = "Science 336, 327 (2012), the paper's ref. 40"
RAVI = "Sci. Adv. 4, eaao6050 (2018), the paper's ref. 41"
RAVI_DOI = "10.1126/sciadv.aao6050"
MEMORY = "Ends from memory, not sourced."
BENCHMARK = (
    Benchmark("RuO2", "interface, thickness", 4.25, 5.40, 1.15, "10.1038/s41467-026-69200-x", "the paper",
              "Results and Discussion, text on Fig. 2b", VERIFIED),
    Benchmark("MoS2", "oxygen", 4.04, 4.47, 0.43, None, "ACS Nano 10, 6100 (2016), the paper's ref. 44",
              "abstract: vacuum and O2", ABSTRACT),
    Benchmark("Pt", "light", None, None, 0.22, RAVI_DOI, RAVI, "abstract: Pt on n-Si, 0 to 18 mW/cm2", ABSTRACT,
              "A shift; its ends are not in the abstract."),
    Benchmark("Au", "light", None, None, None, RAVI_DOI, RAVI, "Fig. 3 alone", UNSOURCED),
    Benchmark("W", "light", None, None, None, RAVI_DOI, RAVI, "Fig. 3 alone", UNSOURCED),
    Benchmark("Au", "molecules", 3.9, 5.1, 1.2, None, ZHOU, "Fig. 3; up to 1.7 eV by the journal's summary", UNSOURCED,
              MEMORY),
    Benchmark("ITO", "molecules", 3.6, 4.6, 1.0, None, ZHOU, "Fig. 3; 1 eV or more by the abstract", UNSOURCED, MEMORY),
    Benchmark("graphene", "molecules", 3.8, 4.6, 0.8, None, ZHOU, "Fig. 3", UNSOURCED, MEMORY),
    Benchmark("Pt", "molecules", None, None, None, None, "Appl. Phys. Lett. 105 (2014), the paper's ref. 43",
              "abstract: a decrease, no number", UNSOURCED),
    Benchmark("W", "oxygen", None, None, None, None, "IEEE Electron Device Lett. 30, 925 (2009), the paper's ref. 42",
              "Fig. 3 alone", UNSOURCED),
    Benchmark("LSMO (barrier height)", "termination", None, None, 0.9, "10.1103/PhysRevB.81.235322",
              "Phys. Rev. B 81, 235322 (2010), the paper's ref. 39", "abstract: +0.5 and -0.4 eV", ABSTRACT,
              "Schottky barrier heights by termination, +0.5 and -0.4 eV against Schottky and Mott; Fig. 3's caption"
              " calls it thickness modulation of the work function."),
    Benchmark("bilayer metal gate", "thickness", None, None, 1.0, None,
              "IEEE Electron Device Lett. 26, 445 (2005), the paper's ref. 37", "abstract: 0 to 10 nm of bottom metal",
              ABSTRACT, "Not in Fig. 3; contradicts the text's < 0.5 eV by thickness of metallic films."),
)  # fmt: skip


def benchmark_rows(lowest_ev: float | None, highest_ev: float | None, *, is_simulated: bool) -> pd.DataFrame:
    """Return the rows of ``claims_benchmark``, the lake's own films last.

    Parameters
    ----------
    lowest_ev, highest_ev : float or None
        Ends of the range that the lake's RuO2 films have [eV].
    is_simulated : bool
        Whether they are simulated.
    """
    rows = [{**asdict(row), "is_simulated": False} for row in BENCHMARK]
    if lowest_ev is not None and highest_ev is not None:
        here = Benchmark("RuO2 (this lake)", "interface, thickness", lowest_ev, highest_ev, highest_ev - lowest_ev,
                         None, "this lake", "table work_function", HERE)  # fmt: skip
        rows.append({**asdict(here), "is_simulated": is_simulated})
    return pd.DataFrame(rows).assign(benchmark_index=range(1, len(rows) + 1))


def benchmark_figure(rows: pd.DataFrame) -> Figure:
    """Draw the range of each row, a colour a status; unsourced rows hatched, across the axes where there is no number.

    Parameters
    ----------
    rows : DataFrame
        Rows of ``claims_benchmark``.
    """
    figure = Figure(figsize=(6.6, 0.34 * len(rows) + 1.6), layout="constrained")
    axes = figure.subplots()
    widest = 1.15 * float(rows.work_function_range_ev.max())
    for place, row in enumerate(rows.to_dict("records")):
        width, status = row["work_function_range_ev"], str(row["benchmark_status"])
        known = pd.notna(width)
        hatch = "////" if status == UNSOURCED else None
        axes.barh(place, float(width) if known else widest, height=0.62, color=COLOURS[status] if known else "white",
                  edgecolor="0.3", lw=0.6, hatch=hatch)  # fmt: skip
        axes.text(0.02 * widest, place, _ends(row), va="center", fontsize=7,
                  bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0})  # fmt: skip
    labels = rows.system + ", " + rows.modulation_method + [" (simulated)" if s else "" for s in rows.is_simulated]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="range of the work function (eV)", xlim=(0.0, widest), title="Fig. 3, by what is sourced")
    shown = [s for s in STATUSES if s in set(rows.benchmark_status)]
    figure.legend(
        handles=[Patch(facecolor=COLOURS[s], edgecolor="0.3", hatch="////" if s == UNSOURCED else None, label=s)
                 for s in shown],
        fontsize=7, loc="outside lower center", ncols=len(shown), frameon=False,
    )  # fmt: skip
    return figure


def _ends(row: Mapping[Any, Any]) -> str:
    low, width = row["lowest_work_function_ev"], row["work_function_range_ev"]
    if pd.isna(width):
        return "no number at hand"
    if pd.isna(low):
        return f"{width:.2f} eV, ends not known"
    return f"{low:.2f} to {row['highest_work_function_ev']:.2f} eV"
