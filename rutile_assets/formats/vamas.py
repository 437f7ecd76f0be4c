"""VAMAS (ISO 14976) surface spectra, .vms and .npl: blocks to regions.

Every experiment mode is parsed as Dench et al., Surf. Interface Anal. 13 (1988) 63, doi:10.1002/sia.740130202, and
ISO 14976 lay it down; REGULAR and IRREGULAR scans become regions, MAPPING is refused. In an IRREGULAR block the first
corresponding variable is the abscissa. Columns and settings: see `spectra`. The package `vamas` (BSD) is what the tests
compare with; it knows neither IRREGULAR nor .npl.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.spectra import (
    NEGATIVE_WORK_FUNCTION,
    TECHNIQUE,
    analysis_method,
    axis_named,
    known,
    positive,
    product,
    shared_settings,
    spectrum_columns,
    step_ev,
    unique,
    whole_or_none,
    without_none,
)
from rutile_assets.formats.text import damaged, decode, finite_or_none, lines_of, numbers, truncated

IDENTIFIER = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"
MODES = ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "NORM", "SDP", "SDPSV", "SEM", "NOEXP")
WITH_REGIONS = ("MAP", "MAPDP", "NORM", "SDP")
WITH_POSITIONS = ("MAP", "MAPDP")
WITH_FIELD_OF_VIEW = ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM")
WITH_LINES = ("MAPSV", "MAPSVDP", "SEM")
PROFILES = ("MAPDP", "MAPSVDP", "SDP", "SDPSV")
OF_IONS = ("FABMS", "FABMS energy spec", "ISS", "SIMS", "SIMS energy spec", "SNMS", "SNMS energy spec")
SPUTTERED = ("AES diff", "AES dir", "EDX", "ELS", "UPS", "XPS", "XRF")
END = "end of experiment"
RATE = re.compile(r"c/s|cps|counts?\s*(/|per)\s*s|s\^?-1", re.IGNORECASE)
SIGNAL = re.compile(r"intens|count|signal|cps", re.IGNORECASE)
UNSAID = ("", "not specified", "none", "-")


@dataclass
class _Lines:
    """The lines of a file, read one after another; no promise of the file goes beyond those left."""

    source: Source
    lines: Sequence[str]
    at: int = 0

    def text(self) -> str:
        if self.at >= len(self.lines):
            raise truncated(self.source, f"an end after {len(self.lines)} lines", f"'{END}'")
        self.at += 1
        return self.lines[self.at - 1].strip()

    def take(self, count: int) -> list[str]:
        if not 0 <= count <= len(self.lines) - self.at:
            raise truncated(self.source, f"{len(self.lines) - self.at} lines left", f"the {count} that are promised")
        self.at += count
        return [line.strip() for line in self.lines[self.at - count : self.at]]

    def integer(self, what: str) -> int:
        text = self.text()
        value = finite_or_none(text)
        if value is None or value != round(value) or abs(value) > 1e15:
            raise damaged(self.source, f"{what} {text[:40]!r} in line {self.at}", "a whole number")
        return int(value)

    def count(self, what: str) -> int:
        value = self.integer(what)
        if not 0 <= value <= len(self.lines) - self.at:
            raise truncated(self.source, f"{value} for the {what} in line {self.at}", "no more than lines follow")
        return value


@dataclass
class _Experiment:
    """What the file's head says of every block."""

    institution: str
    instrument: str
    operator: str
    identifier: str
    comment: list[str]
    mode: str
    scan_mode: str
    variables: list[tuple[str, str]]
    included: list[bool]
    upgrades: int
    blocks: int


@dataclass
class _Block:
    """One block: texts of its parameters, and its variables with their values."""

    identifier: str
    sample: str
    said: dict[int, list[str]] = field(default_factory=dict)
    variables: list[tuple[str, str]] = field(default_factory=list)
    values: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def one(self, number: int, index: int = 0) -> str:
        words = self.said.get(number, [])
        return words[index] if index < len(words) else ""


def read(source: Source) -> Measurement:
    """Read every block that has an energy axis.

    Raises
    ------
    UnreadableFile
        A cut file, counts beyond its lines, words for numbers, a MAPPING scan, no block with an energy axis.
    """
    lines = _Lines(source, lines_of(decode(source.read()).replace("\0", "")))  # PHI ends strings with NUL
    if lines.text() != IDENTIFIER:
        raise damaged(source, "another first line than VAMAS's", IDENTIFIER)
    experiment = _experiment(lines)
    if experiment.scan_mode not in ("REGULAR", "IRREGULAR"):
        raise UnreadableFile(
            f"a {experiment.scan_mode[:20]} scan",
            "REGULAR or IRREGULAR spectra",
            "Export the spectra, not the map.",
            source.name,
        )
    blocks: list[_Block] = []
    for _ in range(experiment.blocks):
        blocks.append(_block(lines, experiment, blocks[0] if blocks else None))
    if lines.text().lower() != END:
        raise damaged(source, f"{lines.lines[lines.at - 1][:40]!r} after {len(blocks)} blocks", f"'{END}'")
    scans, notes = [], []
    for block in blocks:
        scan, more = _scan(source, experiment, block)
        scans += [scan] if scan else []
        notes += more
    if not scans:
        raise UnreadableFile(
            f"{len(blocks)} blocks without a kinetic or binding energy",
            "photoelectron spectra",
            "Export the spectra over energy in eV.",
            source.name,
        )
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=TECHNIQUE if any(s.settings.get("analysis_method") in ("XPS", "UPS") for s in scans) else None,
        instrument=_said(experiment.instrument),
        sample=_said(blocks[0].sample),
        operator=_said(experiment.operator),
        acquired_at=_time(blocks[0]),
        settings=without_none(
            {
                **shared_settings(scans),
                "experiment_mode": experiment.mode,
                "scan_mode": experiment.scan_mode,
                "institution": _said(experiment.institution),
                "experiment": _said(experiment.identifier),
                "comment": "; ".join(line for line in experiment.comment if line)[:500],
            }
        ),
        notes=unique(notes),
    )


def _experiment(lines: _Lines) -> _Experiment:
    institution, instrument, operator, identifier = lines.take(4)
    comment = lines.take(lines.count("lines of comment"))
    mode, scan_mode = lines.text().upper(), lines.text().upper()
    if mode not in MODES:
        raise damaged(lines.source, f"the experiment mode {mode[:40]!r}", f"one of {', '.join(MODES)}")
    if mode in WITH_REGIONS:
        lines.integer("number of spectral regions")
    if mode in WITH_POSITIONS:
        lines.take(3)
    words = lines.take(2 * lines.count("experimental variables"))
    variables = list(zip(words[::2], words[1::2], strict=True))
    entries = lines.integer("number of entries of the inclusion list")
    listed = [finite_or_none(word) for word in lines.take(abs(entries))]
    included = [entries <= 0] * 41
    for number in listed:
        if number is None or number not in range(1, 41):
            raise damaged(lines.source, f"parameter {number} in the inclusion list", "1 to 40")
        included[int(number)] = entries > 0
    lines.take(lines.count("manually entered items"))
    experiment_upgrades, upgrades = lines.count("upgrades of the experiment"), lines.count("upgrades of a block")
    lines.take(experiment_upgrades)
    return _Experiment(
        institution,
        instrument,
        operator,
        identifier,
        comment,
        mode,
        scan_mode,
        variables,
        included,
        upgrades,
        lines.count("blocks"),
    )


def _block(lines: _Lines, experiment: _Experiment, first: _Block | None) -> _Block:
    """Read one block; what the inclusion list leaves out is as in the first."""
    block = _Block(lines.text(), lines.text())

    def take(number: int, count: int = 1, when: bool = True) -> None:
        if first is not None and not experiment.included[number]:
            block.said[number] = first.said.get(number, [])
        elif when:
            block.said[number] = lines.take(count)

    def take_list(number: int, what: str, width: int) -> None:
        if first is not None and not experiment.included[number]:
            block.said[number] = first.said.get(number, [])
        else:
            block.said[number] = lines.take(width * lines.count(what))

    mode = experiment.mode
    for number in range(1, 8):
        take(number)
    take_list(8, "lines of comment", 1)
    take(9)
    technique = block.one(9)
    take(10, 2, mode in WITH_POSITIONS)
    take(11, len(experiment.variables))
    take(12)
    take(13, 3, mode in PROFILES or technique in OF_IONS)
    take(14)
    take(15)
    take(16, 2)
    take(17, 2, mode in WITH_FIELD_OF_VIEW)
    take(18, 6, mode in WITH_LINES)
    for number in (19, 20, 21, 22):
        take(number)
    take(23, 1, technique == "AES diff")
    for number, count in ((24, 1), (25, 1), (26, 1), (27, 2), (28, 2), (29, 1), (30, 2)):
        take(number, count)
    take(31, 4, experiment.scan_mode == "REGULAR")
    take_list(32, "corresponding variables", 2)
    for number in (33, 34, 35, 36):
        take(number)
    take(37, 7, mode in PROFILES and technique in SPUTTERED)
    take(38, 2)
    take(39)
    take_list(40, "additional parameters", 3)
    lines.take(experiment.upgrades)
    _values(lines, block)
    return block


def _values(lines: _Lines, block: _Block) -> None:
    words = block.said[32]
    block.variables = list(zip(words[::2], words[1::2], strict=True))
    width = len(block.variables)
    promised = lines.count("number of ordinate values")
    if width == 0 or promised == 0 or promised % width:
        raise damaged(lines.source, f"{promised} values of {width} variables", "as many values of each")
    lines.take(2 * width)  # their smallest and largest, which exporters fill with 0 and 1
    block.values = numbers(lines.source, lines.take(promised), columns=1).reshape(-1, width)


def _scan(source: Source, experiment: _Experiment, block: _Block) -> tuple[Scan | None, list[str]]:
    """Return a block as a region, None where its abscissa is no energy."""
    regular = experiment.scan_mode == "REGULAR"
    title, unit = (block.one(31), block.one(31, 1)) if regular else block.variables[0]
    axis = axis_named(title)
    if axis is None or unit.lower() not in ("ev", "d", ""):
        return None, [f"Block {block.identifier[:40]!r} runs over {title[:40]!r} ({unit[:10]}) and is left out."]
    if regular:
        start, step = (finite_or_none(block.one(31, i)) for i in (2, 3))
        if start is None or step is None or step == 0.0:
            raise damaged(source, f"a start {block.one(31, 2)[:20]!r} and step {block.one(31, 3)[:20]!r}", "an axis")
        energies = start + step * np.arange(len(block.values), dtype=np.float64)
        ordinates = dict(zip(range(len(block.variables)), block.variables, strict=True))
    else:
        energies = block.values[:, 0]
        ordinates = dict(list(enumerate(block.variables))[1:])
    others = [i for i, (name, _) in ordinates.items() if "transmission" not in name.lower()]
    signal = next((i for i in others if SIGNAL.search(ordinates[i][0])), others[0] if others else None)
    if signal is None:
        raise damaged(source, f"block {block.identifier[:40]!r} without an intensity", "counts over energy")
    measured = np.abs(block.values[:, signal]) < 1e36
    notes = [] if measured.all() else [f"{int((~measured).sum())} points without a value are left out."]
    transmission = next((block.values[measured, i] for i in ordinates if i not in others), None)
    dwell, sweeps = positive(block.one(34)), positive(block.one(35))
    rate = RATE.search(ordinates[signal][1]) or RATE.search(ordinates[signal][0])
    columns, more = spectrum_columns(
        source,
        {axis: energies[measured]},
        block.values[measured, signal],
        unit="counts_per_s" if rate else "counts",
        counting_time_s=product(dwell, sweeps),
        transmission=transmission,
    )
    settings = _settings(experiment, block, dwell, sweeps)
    settings["step_ev"] = step_ev(columns[axis])
    work_function = settings.get("analyser_work_function_ev")
    if isinstance(work_function, float) and work_function < 0:
        more = (*more, NEGATIVE_WORK_FUNCTION)
    return Scan(columns, without_none(settings)), [*notes, *more]


def _settings(experiment: _Experiment, block: _Block, dwell: float | None, sweeps: float | None) -> dict[str, Setting]:
    photon_ev = positive(block.one(14))
    species = " ".join(word for word in (block.one(29), block.one(30)) if word.lower() not in UNSAID)
    numbered = re.match(r"block\s*no", block.identifier, re.IGNORECASE)
    began = _time(block)
    values = zip(experiment.variables, block.said.get(11, []), strict=False)
    return {
        "region": species if numbered and species else block.identifier,
        "analysis_method": analysis_method(block.one(9), photon_ev),
        "photon_energy_ev": photon_ev,
        "analyser_work_function_ev": known(block.one(25)),
        "bias_v": known(block.one(26)),
        "pass_energy_ev": positive(block.one(22)) if block.one(21).upper() != "FRR" else None,
        "dwell_s": dwell,
        "sweep_count": whole_or_none(sweeps),
        "species": species,
        "source": _said(block.one(12)),
        "analyser_mode": _said(block.one(21)),
        "signal_mode": _said(block.one(33)),
        "sample": _said(block.sample),
        "experimental_variables": [f"{name} = {value} {unit}" for (name, unit), value in values] or None,
        "comment": "; ".join(line for line in block.said.get(8, []) if line)[:500],
        "acquired_at": began.isoformat() if began else None,
    }


def _time(block: _Block) -> datetime | None:
    parts = [whole_or_none(finite_or_none(block.one(number))) for number in range(1, 7)]
    year, month, day, hour, minute, second = (-1 if part is None else part for part in parts)
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def _said(text: str) -> str | None:
    return None if text.strip().lower() in UNSAID else text.strip()


def recognises(head: bytes, name: str) -> bool:
    """Tell by the first line, which the standard fixes."""
    return decode(head).lstrip().startswith(IDENTIFIER[:40])


FORMAT = Format("vamas", "VAMAS ISO 14976 surface spectra .vms, .npl (Casa, SPECS, Kratos, PHI ...)", recognises, read)
