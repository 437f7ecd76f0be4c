"""Compare what the lake holds with what the same bytes, code and parameters give again: pure, row by row."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.provenance.content import content
from rutile_assets.provenance.tolerance import CODE_CHANGED, DIFFERS, IDENTICAL, VERDICTS, WITHIN, Tolerance
from rutile_assets.table import Table

# packages whose arithmetic, or whose reading of files, the bits of a number rest on
NUMERIC_PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "duckdb", "torch", "emcee", "h5py", "zarr", "numcodecs", "pillow", "pyyaml",
    "periodictable",
)  # fmt: skip

_ARRAY = re.compile(r"[a-z0-9_]+/[0-9a-f]{40}$")  # a reference into the array store
ReadArray = Callable[[str], npt.NDArray[np.float64]]
NumberKey = tuple[str, str, str, str, str, int]


@dataclass(frozen=True)
class Comparison:
    """How two values, or the rows of a version, lie to each other.

    Parameters
    ----------
    is_same, is_within : bool
        Bit for bit; within the tolerance.
    sentence : str
        What differs most, in words; empty where nothing does.
    """

    is_same: bool
    is_within: bool
    sentence: str = ""


def verdict(found: Comparison, *, exact: bool, code_changed: bool) -> str:
    """Return the verdict on a comparison: another code is never a failure, a promise of bits is kept or broken."""
    if code_changed:
        return CODE_CHANGED
    if found.is_same:
        return IDENTICAL
    return WITHIN if found.is_within and not exact else DIFFERS


def compare_number(recorded: Mapping[str, Any], again: Mapping[str, Any] | None, tolerance: Tolerance) -> Comparison:
    """Compare a row of ``result`` with its recomputation: value and sigma.

    Parameters
    ----------
    recorded, again : mapping
        With ``value`` and ``sigma`` (None where unknown); None where the recomputation has no such number.
    tolerance : Tolerance
        Of its asset.
    """
    if again is None:
        return Comparison(is_same=False, is_within=False, sentence="there is no such number now")
    values, sigmas = (recorded["value"], again["value"]), (recorded["sigma"], again["sigma"])
    if _same(*values) and _same(*sigmas):
        return Comparison(is_same=True, is_within=True)
    sigma = sigmas[0] or 0.0
    allowed = max(tolerance.in_sigma * sigma, tolerance.relative * max(abs(value) for value in values))
    near = abs(values[0] - values[1]) <= allowed
    known = [one is not None for one in sigmas]
    near_sigma = known[0] == known[1] and (
        not known[0] or abs(sigmas[0] - sigmas[1]) <= max(tolerance.in_sigma, tolerance.relative) * abs(sigmas[0])
    )
    said = f"value {values[0]!r}, again {values[1]!r}; sigma {sigmas[0]!r}, again {sigmas[1]!r}"
    return Comparison(is_same=False, is_within=bool(near and near_sigma), sentence=said)


def by_key(rows: Iterable[Mapping[str, Any]]) -> dict[NumberKey, Mapping[str, Any]]:
    """Return numbers by what makes two of them the same number in two homes or two versions.

    That is its asset, its film or series, quantity, subject and file, and, where several are alike, its place.
    """
    counts: dict[tuple[str, ...], int] = defaultdict(int)
    found: dict[NumberKey, Mapping[str, Any]] = {}
    for row in rows:
        of = row["growth_id"] or row["series"] or ""
        key = (row["asset"], of, row["quantity"], row["subject"], row["source_file"] or "")
        found[(*key, counts[key])] = row
        counts[key] += 1
    return found


def compare_rows(
    table: Table,
    recorded: pd.DataFrame,
    again: pd.DataFrame,
    names: tuple[Mapping[int, str], Mapping[int, str]],
    tolerance: Tolerance,
    arrays: tuple[ReadArray, ReadArray],
) -> Comparison:
    """Compare a table's rows of one version with those of its recomputation.

    Parameters
    ----------
    table : Table
        Its declaration.
    recorded, again : DataFrame
        The rows, in any order.
    names : pair of mappings
        What the ids stand for, in each home.
    tolerance : Tolerance
        Of its asset; a number with ``_std`` beside it is held to its sigma, others to their column's magnitude.
    arrays : pair of callables
        Reference -> array, in each home.
    """
    left, right = (_sorted(table, content(frame, known)) for frame, known in zip((recorded, again), names, strict=True))
    if len(left) != len(right):
        said = f"{table.name} has {len(left)} rows, again {len(right)}"
        return Comparison(is_same=False, is_within=False, sentence=said)
    worst = Comparison(is_same=True, is_within=True)
    for column in left.columns:
        found = _compare_column(table, column, left, right, tolerance, arrays)
        if not found.is_same and (worst.is_same or (worst.is_within and not found.is_within)):
            worst = found
    return worst


def together(comparisons: Iterable[Comparison]) -> Comparison:
    """Return the comparison of several things as one: as good as the worst of them."""
    found = list(comparisons)
    worst = next((c for c in found if not c.is_within), next((c for c in found if not c.is_same), None))
    if worst is None:
        return Comparison(is_same=True, is_within=True)
    return Comparison(is_same=False, is_within=worst.is_within, sentence=worst.sentence)


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what of an environment differs in a way that the last bits of a number can depend on.

    Parameters
    ----------
    recorded, now : mapping
        Python, platform, processor, device, and packages as a mapping of name to version.
    """
    told = [
        f"{name}: was {recorded.get(name)}, is {now.get(name)}"
        for name in ("python", "platform", "processor", "device")
        if recorded.get(name) != now.get(name)
    ]
    then, here = ({k.lower(): v for k, v in one["packages"].items()} for one in (recorded, now))
    return told + [
        f"{name}: was {then.get(name)}, is {here.get(name)}"
        for name in NUMERIC_PACKAGES
        if then.get(name) != here.get(name)
    ]


def counted(verdicts: Sequence[str]) -> dict[str, int]:
    """Return how many there are of each verdict, in the order of `VERDICTS`."""
    return {name: verdicts.count(name) for name in VERDICTS if name in verdicts}


def _compare_column(
    table: Table,
    column: str,
    left: pd.DataFrame,
    right: pd.DataFrame,
    tolerance: Tolerance,
    arrays: tuple[ReadArray, ReadArray],
) -> Comparison:
    one, other = left[column], right[column]
    if not pd.api.types.is_float_dtype(one.dtype):
        unequal = np.flatnonzero([not _same(a, b) for a, b in zip(one, other, strict=True)])
        if not len(unequal):
            return Comparison(is_same=True, is_within=True)
        first = int(unequal[0])
        pairs = {(str(one.iloc[i]), str(other.iloc[i])) for i in unequal}
        if pd.api.types.is_string_dtype(one.dtype) and all(_ARRAY.match(a) and _ARRAY.match(b) for a, b in pairs):
            return together(_compare_arrays(table, column, a, b, tolerance, arrays) for a, b in sorted(pairs))
        said = f"{table.name}.{column}: {one.iloc[first]!r}, again {other.iloc[first]!r}{_at(table, left, first)}"
        return Comparison(is_same=False, is_within=False, sentence=said)
    a, b = one.to_numpy(dtype=float), other.to_numpy(dtype=float)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return Comparison(is_same=True, is_within=True)
    magnitude = np.nanmax(np.abs(np.concatenate([a, b])), initial=0.0)
    allowed = np.full(len(a), tolerance.relative * magnitude)
    beside = left.get(f"{column}_std")
    if beside is not None:
        allowed = np.maximum(allowed, tolerance.in_sigma * np.nan_to_num(beside.to_numpy(dtype=float)))
    if column.endswith("_std"):
        allowed = np.maximum(allowed, tolerance.in_sigma * np.abs(np.nan_to_num(a)))
    with np.errstate(invalid="ignore"):
        off = np.where(same, 0.0, np.nan_to_num(np.abs(a - b), nan=np.inf))
    beyond = off > allowed
    worst = int(np.argmax(off / np.maximum(allowed, np.finfo(float).tiny)))
    said = f"{table.name}.{column}: {a[worst]:.17g}, again {b[worst]:.17g}{_at(table, left, worst)}"
    return Comparison(is_same=False, is_within=not beyond.any(), sentence=said)


def _compare_arrays(
    table: Table, column: str, reference: str, again: str, tolerance: Tolerance, arrays: tuple[ReadArray, ReadArray]
) -> Comparison:
    left, right = arrays[0](reference), arrays[1](again)
    if left.shape != right.shape:
        return Comparison(
            is_same=False, is_within=False, sentence=f"{table.name}.{column}: shape {left.shape}, again {right.shape}"
        )
    if np.array_equal(left, right, equal_nan=np.isrealobj(left)):
        said = f"{table.name}.{column}: equal values, other attributes"
        return Comparison(is_same=False, is_within=False, sentence=said)
    off, magnitude = float(np.nanmax(np.abs(left - right))), float(np.nanmax(np.abs(left)))
    said = f"{table.name}.{column}: an array of magnitude {magnitude:.4g} is off by up to {off:.3g}"
    return Comparison(is_same=False, is_within=off <= tolerance.relative * magnitude, sentence=said)


def _sorted(table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    key = [column for column in table.key if column in rows.columns]
    return rows.sort_values(key, ignore_index=True) if key else rows.reset_index(drop=True)


def _at(table: Table, rows: pd.DataFrame, place: int) -> str:
    key = [f"{column} {rows[column].iloc[place]}" for column in table.key if column in rows.columns]
    return f" at {', '.join(key)}" if key else ""


def _same(one: Any, other: Any) -> bool:
    if _missing(one) or _missing(other):
        return _missing(one) and _missing(other)
    return bool(one == other)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
