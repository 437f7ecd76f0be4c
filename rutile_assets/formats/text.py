"""Text that instruments write: decoding, lines, rows of numbers, and whether the last line is whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Source

MAX_ROWS = 2_000_000
LARGEST = 1e100  # nothing measured is larger, and products of such numbers stay finite
NOT_A_NUMBER = re.compile(r"[^0-9eE.+\-\s]")
LINE_END = re.compile(r"\r\n|\n|\r")


def truncated(source: Source, found: str, expected: str) -> UnreadableFile:
    """Return the error for a file that ends too early."""
    return UnreadableFile(
        found, expected, "The file is cut short or half-copied: copy it again from the instrument.", source.name
    )


def damaged(source: Source, found: str, expected: str) -> UnreadableFile:
    """Return the error for a file whose content contradicts itself."""
    return UnreadableFile(found, expected, "Copy the file again or export it again.", source.name)


def looks_like_text(head: bytes) -> bool:
    """Tell whether the first bytes are text: UTF-16 with its mark, or no control bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return bool(head.strip()) and not re.search(rb"[\x00-\x08\x0b\x0e-\x1f]", head)


def decode(data: bytes) -> str:
    """Return text from UTF-8 (with or without mark), UTF-16 with mark, else Latin-1; it never fails."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def text_of(source: Source) -> str:
    """Return the file as text.

    Raises
    ------
    UnreadableFile
        It is empty, too large, or holds bytes that no text holds.
    """
    data = source.read()
    if not looks_like_text(data):
        raise UnreadableFile("binary bytes in a text file", "text", "Export the data as text again.", source.name)
    return decode(data)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, whatever system wrote it; a line end at the very end opens no empty line."""
    lines = LINE_END.split(text)
    return lines[:-1] if lines and not lines[-1] else lines


def whole_lines(source: Source, text: str, *, tabs_end_rows: bool = False) -> list[str]:
    """Return the lines of a text whose last line must be whole: without end marks this alone shows a cut.

    Parameters
    ----------
    source : Source
        Named in errors.
    text : str
        The whole file.
    tabs_end_rows : bool
        True where a row is whole, too, when a tab ends it and the row before.

    Raises
    ------
    UnreadableFile
        The last line may be cut.
    """
    lines = lines_of(text)
    tabs = tabs_end_rows and len(lines) > 1 and all(line.rstrip(" ").endswith("\t") for line in lines[-2:])
    if not text.endswith(("\n", "\r")) and not tabs:
        last = lines[-1].strip()[-40:] if lines else ""
        raise UnreadableFile(
            f"a last line without its line end ({last!r})",
            "a line end after every line",
            "The file may be cut short: copy it again; if it is whole, add the line end.",
            source.name,
        )
    return lines


def fields(line: str) -> list[str]:
    """Return the words of a line of numbers that are parted by blanks, tabs, commas or semicolons."""
    return [word for word in re.split(r"\s*[,;\t]\s*|\s+", line.strip().rstrip(",;")) if word]


def is_row(line: str) -> bool:
    """Tell whether a line holds numbers and nothing else."""
    words = fields(line)
    return bool(words) and all(is_number(word) for word in words)


def is_number(word: str) -> bool:
    """Tell whether a word is a plain decimal number ('nan', 'inf', '1_0' and hexadecimals are not)."""
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word) is not None


def numbers(source: Source, lines: Sequence[str], columns: int | None = None) -> FloatArray:
    """Return rows of finite numbers.

    Parameters
    ----------
    source : Source
        Named in errors.
    lines : sequence of str
        Numbers parted by blanks, tabs, commas or semicolons.
    columns : int, optional
        How many each row must have; by default as many as the first.

    Returns
    -------
    ndarray
        (R, C) float64.

    Raises
    ------
    UnreadableFile
        No rows, too many rows, a row of another length, a word that is no finite number.
    """
    if not lines:
        raise damaged(source, "no rows of numbers", "measured points")
    if len(lines) > MAX_ROWS:
        raise UnreadableFile(f"{len(lines)} rows", f"at most {MAX_ROWS}", "Split the file.", source.name)
    rows = [fields(line) for line in lines]
    width = columns or len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise truncated(source, f"{len(row)} columns in data row {number} of {len(rows)}", f"{width} in every row")
    bad = next((word for row in rows for word in row if NOT_A_NUMBER.search(word)), None)
    try:
        table = np.array(rows, dtype=np.float64) if bad is None else None
    except ValueError:
        bad, table = next(word for row in rows for word in row if not is_number(word)), None
    if table is None:
        raise damaged(source, f"the word {str(bad)[:40]!r} among the numbers", "rows of numbers")
    if not (np.abs(table) < LARGEST).all():
        raise damaged(source, "a number too large to be one", f"numbers below {LARGEST:g}")
    return table


def positive_number(source: Source, text: str | None, what: str) -> float:
    """Return a positive finite number that a header must hold.

    Raises
    ------
    UnreadableFile
        The header has none, or something else.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not 1.0 / LARGEST < value < LARGEST:
        raise damaged(source, f"{what} {str(text)[:40]!r}", "a positive number")
    return value


def finite_or_none(text: str | None) -> float | None:
    """Return a finite number where the text is one, else None."""
    text = (text or "").strip()
    return float(text) if is_number(text) and abs(float(text)) < LARGEST else None


def time_of(text: str | None, *patterns: str) -> datetime | None:
    """Return the instrument's time by the first pattern that fits, else None."""
    for pattern in patterns:
        try:
            return datetime.strptime((text or "").strip(), pattern)
        except ValueError:
            continue
    return None


def iso_time(text: str | None) -> datetime | None:
    """Return a time in ISO 8601, with its zone where the instrument wrote one, else None."""
    try:
        return datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
