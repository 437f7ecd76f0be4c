"""Two versions of the same numbers, film by film: what moved, by how much of its sigma, what is new, what is gone."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rutile_assets.provenance.verify import by_key

CHANGED, NEW, VANISHED, SAME = "changed", "new", "vanished", "same"
CORRELATION = (
    "Both versions rest on the same data, so they are not independent: a difference stands in units of A's sigma (B's"
    " where A has none), not of sqrt(2) sigma. A pull of 0.1 means that the number moved by a tenth of its error bar."
)


@dataclass(frozen=True)
class Change:
    """One number in two versions, A and B.

    Parameters
    ----------
    growth_id, series, asset, quantity, subject, unit, source_file : str or None
        What it is.
    value_a, sigma_a, value_b, sigma_b : float or None
        In the unit; None where the version has no such number, or does not know its sigma.
    difference : float or None
        B minus A.
    pull : float or None
        The difference in units of A's sigma, of B's where A has none.
    kind : str
        ``changed`` (value or sigma, in any bit), ``new``, ``vanished`` or ``same``.
    reason : str
        What differs between the two computations.
    """

    growth_id: str | None
    series: str | None
    asset: str
    quantity: str
    subject: str
    unit: str
    source_file: str | None
    value_a: float | None
    sigma_a: float | None
    value_b: float | None
    sigma_b: float | None
    difference: float | None
    pull: float | None
    kind: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as a row to print."""
        return asdict(self)


@dataclass(frozen=True)
class Summary:
    """How one quantity moved, over all films.

    Parameters
    ----------
    quantity : str
        Its name.
    numbers, changed, new, vanished : int
        How many there are in either version, and of each kind.
    median_pull, largest_pull : float or None
        Of the changed: the median of the pulls, and the one farthest from zero.
    median_sigma_ratio : float or None
        Of the changed: the median of B's sigma by A's.
    """

    quantity: str
    numbers: int
    changed: int
    new: int
    vanished: int
    median_pull: float | None
    largest_pull: float | None
    median_sigma_ratio: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as a row to print."""
        return asdict(self)


def changes(
    a: Iterable[Mapping[str, Any]],
    b: Iterable[Mapping[str, Any]],
    reasons: Mapping[tuple[str, str], str] | None = None,
) -> list[Change]:
    """Return every number of either version, in the order of films, assets and quantities.

    Parameters
    ----------
    a, b : iterable of mapping
        Rows of the view ``results`` with ``asset``.
    reasons : mapping, optional
        (film, or "" for what spans films; asset) -> why its versions differ.
    """
    left, right, why = by_key(a), by_key(b), reasons or {}
    found = [_change(left.get(key), right.get(key), why) for key in left.keys() | right.keys()]
    return sorted(
        found, key=lambda c: (c.growth_id or "", c.series or "", c.asset, c.quantity, c.subject, c.source_file or "")
    )


def _change(
    left: Mapping[str, Any] | None, right: Mapping[str, Any] | None, why: Mapping[tuple[str, str], str]
) -> Change:
    row = right if right is not None else left
    if row is None:
        raise KeyError("a number of neither version")
    a, b = left or {"value": None, "sigma": None}, right or {"value": None, "sigma": None}
    difference = pull = None
    kind = NEW if left is None else VANISHED
    if left is not None and right is not None:
        difference = b["value"] - a["value"]
        sigma = a["sigma"] or b["sigma"]
        pull = difference / sigma if sigma else None
        kind = SAME if (a["value"], a["sigma"]) == (b["value"], b["sigma"]) else CHANGED
    reason = why.get((row["growth_id"] or "", row["asset"])) or why.get(("", row["asset"])) or ""
    return Change(
        row["growth_id"], row["series"], row["asset"], row["quantity"], row["subject"], row["unit"],
        row["source_file"], a["value"], a["sigma"], b["value"], b["sigma"], difference, pull, kind,
        "" if kind == SAME else reason,
    )  # fmt: skip


def summarise(found: Iterable[Change]) -> list[Summary]:
    """Return one row for each quantity, in the order of their names."""
    groups: dict[str, list[Change]] = defaultdict(list)
    for change in found:
        groups[change.quantity].append(change)
    return [_summary(quantity, groups[quantity]) for quantity in sorted(groups)]


def _summary(quantity: str, group: Sequence[Change]) -> Summary:
    changed = [change for change in group if change.kind == CHANGED]
    pulls = [change.pull for change in changed if change.pull is not None]
    ratios = [change.sigma_b / change.sigma_a for change in changed if change.sigma_a and change.sigma_b]
    counts = {kind: sum(change.kind == kind for change in group) for kind in (NEW, VANISHED)}
    return Summary(
        quantity, len(group), len(changed), counts[NEW], counts[VANISHED],
        statistics.median(pulls) if pulls else None, max(pulls, key=abs) if pulls else None,
        statistics.median(ratios) if ratios else None,
    )  # fmt: skip


def markdown(command: str, found: Sequence[Change]) -> str:
    """Return the table that an entry under "Numbers changed" of CHANGELOG.md carries.

    Parameters
    ----------
    command : str
        What made it, to be read beside it.
    found : sequence of Change
        All numbers of both versions.
    """
    counts = {kind: sum(change.kind == kind for change in found) for kind in (CHANGED, NEW, VANISHED)}
    lines = [
        f"`{command}`: of {len(found)} numbers {counts[CHANGED]} changed, {counts[NEW]} are new, {counts[VANISHED]}"
        " vanished. Differences in units of the former sigma.",
        "",
        "| quantity | numbers | changed | new | vanished | median | largest | sigma, new by former |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.quantity} | {row.numbers} | {row.changed} | {row.new} | {row.vanished} | {_said(row.median_pull)} |"
        f" {_said(row.largest_pull)} | {_said(row.median_sigma_ratio, '.3g')} |"
        for row in summarise(found)
        if row.changed or row.new or row.vanished
    ]
    return "\n".join(lines if any(counts.values()) else lines[:1]) + "\n"


def _said(value: float | None, form: str = "+.2g") -> str:
    return "" if value is None else f"{value:{form}}"
