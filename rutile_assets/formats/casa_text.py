"""CasaXPS ASCII export: spectra one after another, tab-separated, titled K.E., Counts, B.E., CPS.

Both energy axes are kept as Casa wrote them: the binding energies hold its calibration. Neither an end mark nor a
number of rows stands in such a file: a cut at a line end cannot be known. Columns and settings: see `spectra`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.spectra import (
    TECHNIQUE,
    analysis_method,
    axis_named,
    positive,
    shared_settings,
    spectrum_columns,
    step_ev,
    unique,
    without_none,
)
from rutile_assets.formats.text import damaged, is_number, numbers, text_of, truncated, whole_lines

CYCLE = re.compile(r"Cycle\s+(\d+):([^:]*):?(.*)")
ENERGY = re.compile(r"Characteristic Energy\s*eV\t\s*([^\t]+)", re.IGNORECASE)
TIME = re.compile(r"Acquisition Time\s*s\t\s*([^\t]+)", re.IGNORECASE)


def read(source: Source) -> Measurement:
    """Read every spectrum.

    Raises
    ------
    UnreadableFile
        A cut last line, text among the rows, a table without energies or intensities.
    """
    lines = whole_lines(source, text_of(source))
    starts = [i for i, line in enumerate(lines) if CYCLE.match(line)]
    if not starts:
        raise truncated(source, "no line 'Cycle n:'", "a spectrum of CasaXPS")
    scans: list[Scan] = []
    notes: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        scan, more = _scan(source, lines[start:end])
        scans.append(scan)
        notes += more
    sample = scans[0].settings.get("group")
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=TECHNIQUE,
        sample=str(sample) if sample else None,
        settings=without_none(dict(shared_settings(scans))),
        notes=unique(notes),
    )


def _scan(source: Source, lines: Sequence[str]) -> tuple[Scan, tuple[str, ...]]:
    named = CYCLE.match(lines[0])
    region = (named.group(3).strip() or named.group(2).strip()) if named else ""
    first = next((i for i, line in enumerate(lines) if axis_named(line.split("\t")[0])), None)
    if first is None:
        raise truncated(source, f"no titles K.E., B.E. in {region[:40]!r}", "a table of Casa")
    header = "\n".join(lines[:first])
    titles = [title.strip() for title in lines[first].split("\t")]
    at = {axis: i for i, title in reversed(list(enumerate(titles))) if (axis := axis_named(title))}
    at |= {t.lower(): i for i, t in reversed(list(enumerate(titles))) if t.lower() in ("counts", "cps")}
    if not {"counts", "cps"} & set(at):
        raise damaged(source, f"columns named {', '.join(titles)[:100]!r}", "Counts or CPS")
    table = _table(source, [line for line in lines[first + 1 :] if line.strip()], at, len(titles))
    seconds = _number(TIME, header)
    counts, rates = table.get("counts"), table.get("cps")
    if counts is not None and rates is not None:
        seconds = _time_of(counts, rates, seconds)
    photon_ev = _number(ENERGY, header)
    values = counts if counts is not None else rates
    assert values is not None
    columns, notes = spectrum_columns(
        source,
        {axis: table[axis] for axis in ("kinetic_energy_ev", "binding_energy_ev") if axis in table},
        values,
        unit="counts" if counts is not None else "counts_per_s",
        counting_time_s=seconds,
    )
    if rates is not None:
        columns["intensity_counts_per_s"] = rates
    settings: dict[str, Setting] = {
        "region": region,
        "group": named.group(2).strip() if named and named.group(3) else None,
        "cycle": int(named.group(1)[:9]) if named else None,
        "analysis_method": analysis_method(None, photon_ev),
        "photon_energy_ev": photon_ev,
        "step_ev": step_ev(next(iter(columns.values()))),
    }
    return Scan(columns, without_none(settings)), notes


def _table(source: Source, lines: Sequence[str], at: dict[str, int], width: int) -> dict[str, FloatArray]:
    rows = []
    for line in lines:
        words = [word.strip() for word in line.split("\t")]
        if len(words) < max(at.values()) + 1 or len(words) > width + 1:
            raise truncated(source, f"{len(words)} columns in {line.strip()[:40]!r}", f"{width}")
        rows.append([words[i] for i in at.values()])
    bad = next((word for row in rows for word in row if not is_number(word)), None)
    if bad is not None:
        raise damaged(source, f"the word {bad[:40]!r} among the numbers", "rows of numbers")
    table = numbers(source, ["\t".join(row) for row in rows], columns=len(at))
    return dict(zip(at, table.T, strict=True))


def _time_of(counts: FloatArray, rates: FloatArray, said: float | None) -> float | None:
    """Return counts over rate where that is one number all along (dwell times sweeps), else what the header says."""
    seen = rates > 0
    if not seen.any():
        return said
    ratios = counts[seen] / rates[seen]
    middle = float(np.median(ratios))
    steady = middle > 0 and np.allclose(ratios, middle, rtol=1e-3)
    return middle if steady and (said is None or abs(middle / said - 1.0) > 1e-3) else said


def _number(pattern: re.Pattern[str], header: str) -> float | None:
    found = pattern.search(header)
    return positive(found.group(1)) if found else None


def recognises(head: bytes, name: str) -> bool:
    """Tell by the first two lines."""
    return re.match(rb"(\xef\xbb\xbf)?Cycle \d+:[^\r\n]*[\r\n]+\s*Characteristic Energy", head) is not None


FORMAT = Format("casa-text", "CasaXPS spectra exported as text (K.E., Counts, B.E., CPS)", recognises, read)
