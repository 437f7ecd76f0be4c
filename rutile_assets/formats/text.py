"""Text that instruments write: decoding, rows of numbers, and whether the last one is whole."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Scan, Setting, Source

MAX_ROWS = 5_000_000
XRR_LAST_TWO_THETA_DEG = 12.0
XRR_FIRST_TWO_THETA_DEG = 2.0


def truncated(source: Source, found: str, expected: str) -> UnreadableFile:
    """Return the error for a file that ends too early."""
    return UnreadableFile(
        found, expected, "The file is cut short or half-copied: copy it again from the instrument.", source.name
    )


def decoded(source: Source) -> str:
    """Return the file as text: UTF-8 (with or without mark), UTF-16 with mark, else Latin-1.

    Raises
    ------
    UnreadableFile
        It holds NUL bytes, so it is not text.
    """
    data = source.read()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise UnreadableFile("binary bytes", "text", "Export the scan as text.", source.name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def numbers(source: Source, lines: Sequence[str], columns: int | None = None) -> FloatArray:
    """Return rows of numbers, (R, C), from lines separated by blanks, tabs, commas or semicolons.

    Raises
    ------
    UnreadableFile
        A row has another number of columns than the first (or than `columns`), or a word that is no number.
    """
    if not lines:
        raise UnreadableFile("no rows of numbers", "measured points", "Export the scan again.", source.name)
    if len(lines) > MAX_ROWS:
        raise UnreadableFile(f"{len(lines)} rows", f"at most {MAX_ROWS}", "Split the file.", source.name)
    rows = [re.split(r"[,;\s]+", line.strip().strip(",;")) for line in lines]
    width = columns or len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise truncated(source, f"{len(row)} columns in data row {number} of {len(rows)}", f"{width} in every row")
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as fault:
        raise UnreadableFile(
            f"a word among the numbers ({str(fault)[-60:]})", "rows of numbers", "Export the scan again.", source.name
        ) from fault


def positive_number(source: Source, text: str | None, what: str) -> float:
    """Return a positive finite number that a header must hold."""
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not (np.isfinite(value) and value > 0):
        raise UnreadableFile(
            f"{what} {text!r}", "a positive number", "The header is damaged: copy it again.", source.name
        )
    return value


def xray_technique(scans: Sequence[Scan]) -> str | None:
    """Tell reflectivity, a diffraction scan and a reciprocal space map apart by the angles alone.

    A symmetric 2theta/omega scan that begins below 2 deg and ends at or below 12 deg is reflectivity; several scans
    at different omega are a map; a scan of 2theta alone or to higher angles is diffraction.
    """
    if len({round(float(str(s.settings.get("omega_deg", 0.0))), 6) for s in scans}) > 1 and len(scans) > 1:
        return "rsm"
    if len(scans) != 1:
        return "xrd"
    two_theta = scans[0].columns["two_theta_deg"]
    low = two_theta.min() < XRR_FIRST_TWO_THETA_DEG and two_theta.max() <= XRR_LAST_TWO_THETA_DEG
    axis = str(scans[0].settings.get("scan_axis") or "").lower().replace("-", "").replace("/", "").replace("_", "")
    coupled = any(
        word in axis for word in ("twothetatheta", "twothetaomega", "2thetaomega", "2thetatheta", "omega2theta")
    )
    return "xrr" if low and coupled else None if not axis else "xrd"


def xray_columns(
    two_theta_deg: FloatArray,
    counts: FloatArray | None,
    rate: FloatArray | None,
    attenuation: FloatArray | None,
    counting_time_s: FloatArray | None,
) -> dict[str, FloatArray]:
    """Return the columns of an X-ray scan under their shared names.

    `counts` are as the detector counted them; `rate` is given instead where the file holds rates only. Every array
    is (P,); angles in deg, times in s.
    """
    columns = {"two_theta_deg": two_theta_deg}
    if attenuation is not None:
        columns["attenuation_factor"] = attenuation
    if counts is not None:
        columns["detected_counts"] = counts
        rate = counts * (1.0 if attenuation is None else attenuation)
        if counting_time_s is not None:
            columns["counting_time_s"] = counting_time_s
            rate = rate / counting_time_s
    assert rate is not None
    columns["intensity_counts_per_s"] = rate
    return columns


def finite(source: Source, columns: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the columns when every number is finite."""
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise UnreadableFile(f"{name} that is not a number", "finite numbers", "Export it again.", source.name)
    return columns


def setting(text: str) -> Setting:
    """Return a header's word as a number where it is one."""
    try:
        return float(text) if re.search(r"\d", text) and not re.search(r"[a-zA-Z]{2}", text) else text
    except ValueError:
        return text
