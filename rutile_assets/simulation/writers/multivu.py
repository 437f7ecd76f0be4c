"""Quantum Design MultiVu .dat of the Resistivity option: [Header], [Data], one group of columns for each bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rutile_assets.simulation.writers.scan import FloatArray, Header

BRIDGES = 4


@dataclass(frozen=True)
class Bridge:
    """One channel of the instrument.

    Parameters
    ----------
    label : str
        What the operator typed for it.
    resistance_ohm : ndarray
        (P,) [ohm].
    std_ohm : float
        Standard deviation that the instrument gives [ohm].
    excitation_a : float
        Current [A].
    """

    label: str
    resistance_ohm: FloatArray
    std_ohm: float
    excitation_a: float


def write(
    bridges: Sequence[Bridge], time_s: FloatArray, temperature_k: FloatArray, field_t: FloatArray, header: Header
) -> bytes:
    """Return a MultiVu file; fields are written in Oe, all bridges in one row, unused bridges empty.

    Parameters
    ----------
    bridges : sequence of Bridge
        Up to four, in the order of their numbers.
    time_s, temperature_k, field_t : ndarray
        (P,) time since the start [s], temperature [K], mu0 H [T].
    header : Header
        Its comment goes into the first row's comment and the title.
    """
    numbers = range(1, BRIDGES + 1)
    titles = ["Comment", "Time Stamp (sec)", "Status (code)", "Temperature (K)", "Magnetic Field (Oe)"]
    titles += ["Sample Position (deg)"]
    titles += [f"Bridge {n} {what}" for n in numbers for what in ("Resistivity (Ohm)", "Excitation (uA)")]
    titles += [*(f"Bridge {n} Std. Dev. (Ohm)" for n in numbers), "Number of Readings"]
    titles += [f"Bridge {n} Resistance (Ohms)" for n in numbers]
    started = f"{header.started_at.month}/{header.started_at.day}/{header.started_at:%Y %H:%M:%S}"
    lines = [
        "[Header]",
        "; PPMS Resistivity Data File (default extension .dat)",
        f"TITLE,{_plain(header.sample)} {_plain(header.comment)}",
        f"FILEOPENTIME,{time_s[0]:.2f},,{started}",
        "BYAPP,Resistivity,2.0,1.1",
        "INFO,PPMS Resistivity Option Release 2.0,APPNAME",
        f"INFO,{_plain(header.operator)},OPERATOR",
    ]
    for n, bridge in enumerate(bridges, start=1):
        lines += [f"INFO,{_plain(bridge.label)},SAMPLE{n}_NAME", f"INFO,ohm,SAMPLE{n}_UNITS"]
    lines += ["DATATYPE,COMMENT,1", "DATATYPE,TIME,2", "[Data]", ",".join(titles)]
    blank = BRIDGES - len(bridges)
    for i in range(len(time_s)):
        readings = [_number(bridge.resistance_ohm[i]) for bridge in bridges]
        row = ["", f"{time_s[i]:.2f}", "4449", f"{temperature_k[i]:.6g}", f"{field_t[i] * 1e4:.4f}", "0"]
        for reading, bridge in zip(readings, bridges, strict=True):
            row += [reading, f"{bridge.excitation_a * 1e6:g}"]
        row += ["", ""] * blank
        row += [*(_number(bridge.std_ohm) for bridge in bridges), *[""] * blank, "25", *readings, *[""] * blank]
        lines.append(",".join(row))
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1", errors="replace")


def _number(value: float) -> str:
    return f"{value:.10G}"


def _plain(text: str) -> str:
    return " ".join(text.replace(",", ";").split())
