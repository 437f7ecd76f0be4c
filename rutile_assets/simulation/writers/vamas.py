"""VAMAS (ISO 14976) as SPECS Prodigy and CasaXPS write it: NORM, REGULAR, kinetic energies, one block a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from rutile_assets.simulation.writers.scan import FloatArray, Header

UNKNOWN = "1E+37"
UPS_BELOW_EV = 100.0
LAMPS = ((21.2, "He I"), (40.8, "He II"), (1253.6, "Mg"), (1486.6, "Al"))  # energy [eV], label


@dataclass(frozen=True)
class Region:
    """One spectrum.

    Parameters
    ----------
    name : str
        Of the block.
    kinetic_energy_ev : ndarray
        (P,) in equal steps, rising or falling [eV].
    counts : ndarray
        (P,) detected counts.
    dwell_s : float
        Time of a point [s].
    photon_energy_ev : float
        Energy of the photons [eV].
    bias_v : float
        Of the sample [V]; written as VAMAS's target bias.
    analyser_work_function_ev : float
        What the kinetic energies are read against [eV].
    pass_energy_ev : float
        Of the analyser [eV].
    """

    name: str
    kinetic_energy_ev: FloatArray
    counts: FloatArray
    dwell_s: float
    photon_energy_ev: float
    bias_v: float
    analyser_work_function_ev: float
    pass_energy_ev: float


def write(regions: Sequence[Region], header: Header) -> bytes:
    """Return a .vms file; the header's comment stands in the experiment's and in every block's comment.

    Parameters
    ----------
    regions : sequence of Region
        One block each, measured one after another.
    header : Header
        Its clock starts the first block.

    Raises
    ------
    ValueError
        Energies that do not run in equal steps.
    """
    lines = [
        "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4",
        "Not Specified",
        "SPECS Phoibos",
        _plain(header.operator),
        _plain(header.sample),
        "1",
        _plain(header.comment),
        "NORM",
        "REGULAR",
        str(len(regions)),
        *("1", "Exp Variable", "d"),
        *("0", "0", "0", "0"),
        str(len(regions)),
    ]
    started = header.started_at
    for region in regions:
        lines += _block(region, header, started.timetuple()[:6])
        started += timedelta(seconds=len(region.counts) * region.dwell_s)
    lines.append("end of experiment")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _block(region: Region, header: Header, started: tuple[int, ...]) -> list[str]:
    energies, counts = region.kinetic_energy_ev, region.counts
    step = round(float(energies[-1] - energies[0]) / (len(energies) - 1), 9)
    if not np.allclose(energies[0] + step * np.arange(len(energies)), energies, rtol=0.0, atol=1e-3 * abs(step)):
        raise ValueError(f"{region.name}: a REGULAR block needs equal steps")
    source = next((name for energy, name in LAMPS if abs(energy - region.photon_energy_ev) < 0.5), "Synchrotron")
    return [
        _plain(region.name),
        _plain(header.sample),
        *(str(part) for part in started),
        "0",
        *("1", _plain(header.comment)),
        "UPS" if region.photon_energy_ev < UPS_BELOW_EV else "XPS",
        "0",  # the experimental variable
        source,
        _number(region.photon_energy_ev),
        *([UNKNOWN] * 3),  # strength and widths of the beam
        *([UNKNOWN] * 2),  # its angles
        "FAT",
        _number(region.pass_energy_ev),
        UNKNOWN,
        _number(region.analyser_work_function_ev),
        _number(region.bias_v),
        *([UNKNOWN] * 4),  # analysed area, take-off angles
        *(_plain(region.name), ""),
        "-1",
        *("kinetic energy", "eV", _number(float(energies[0])), _number(step)),
        *("1", "counts", "d"),
        "pulse counting",
        _number(region.dwell_s),
        *("1", "0"),  # scans, correction of the time
        *([UNKNOWN] * 3),  # tilt of the sample
        "0",
        str(len(counts)),
        *(_number(float(counts.min())), _number(float(counts.max()))),
        *(_number(float(value)) for value in counts),
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else repr(value)


def _plain(text: str) -> str:
    return " ".join(text.split())
