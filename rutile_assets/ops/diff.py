"""Set two versions of the lake's numbers side by side: snapshots, homes, or a recomputation with other parameters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

import yaml

from rutile_assets.errors import InvalidRecord
from rutile_assets.ops.house import House
from rutile_assets.ops.judge import NO_CODE, Row
from rutile_assets.ops.recompute import NOTHING_TO_COMPUTE, Key, Recomputed, clean_home, recompute
from rutile_assets.ops.recorded import Recorded
from rutile_assets.provenance.change import code_changes
from rutile_assets.provenance.code_version import CodeVersion
from rutile_assets.provenance.diff import Change, Summary, changes, summarise
from rutile_assets.provenance.materialize import reader_code
from rutile_assets.rooms import all_assets

PARTS = 3  # of a changed code that are named
Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class Side:
    """One of the two versions.

    Parameters
    ----------
    label : str
        What people call it.
    versions, numbers : list of dict
        Its current versions and numbers.
    parents : dict
        Version -> what it was made from.
    code : dict
        Code version -> what it is made of.
    files : dict
        (film, technique) -> path -> data version.
    failures : dict
        (film, asset) -> why it could not be computed.
    """

    label: str
    versions: list[Row]
    numbers: list[Row]
    parents: Mapping[int, list[Row]]
    code: Mapping[str, CodeVersion]
    files: Mapping[tuple[str, str], Mapping[str, str]]
    failures: Mapping[Key, str]


@dataclass(frozen=True)
class Difference:
    """Two versions of the same numbers.

    Parameters
    ----------
    a, b : str
        What the versions are.
    changes : list of Change
        Every number of either.
    notes : list of str
        What a reader must know: films whose files differ, assets that could not be computed.
    """

    a: str
    b: str
    changes: list[Change]
    notes: list[str]

    @property
    def summary(self) -> list[Summary]:
        """One row for each quantity."""
        return summarise(self.changes)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {**asdict(self), "summary": [row.as_dict() for row in self.summary]}


def side_of(label: str, recorded: Recorded, failures: Mapping[Key, str] | None = None) -> Side:
    """Read a version off a home at a snapshot."""
    files: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in recorded.files():
        files[row["growth_id"], row["technique"]][row["original_path"]] = row["data_version"]
    versions = recorded.versions()
    return Side(label, versions, recorded.numbers(), recorded.parents(versions), recorded.code(), files, failures or {})


def at(house: House, snapshot: int | None, label: str) -> Side:
    """Read a home's version at a snapshot, the present one by default.

    Raises
    ------
    InvalidRecord
        There is no such snapshot.
    """
    recorded = Recorded(house, snapshot)
    try:
        return side_of(label, recorded)
    finally:
        recorded.close()


def compare(a: Side, b: Side, *, films: Sequence[str] | None = None, quantity: str | None = None) -> Difference:
    """Set two versions side by side.

    Parameters
    ----------
    a, b : Side
        The former and the later.
    films : sequence of str, optional
        Only these; what belongs to a series alone is left out.
    quantity : str, optional
        Only this quantity.
    """
    reasons, notes = _reasons(a, b), []
    for film in sorted({film for film, _ in a.files.keys() | b.files.keys()}):
        techniques = {technique for f, technique in a.files.keys() | b.files.keys() if f == film}
        other = sorted(t for t in techniques if a.files.get((film, t), {}) != b.files.get((film, t), {}))
        if other and (films is None or film in films):
            notes.append(f"{film}: the raw files of {', '.join(other)} are not the same in both")
    notes += [f"{film or 'all films'} {asset}: {why}" for (film, asset), why in b.failures.items()]

    def chosen(rows: Sequence[Row]) -> list[Row]:
        return [
            row
            for row in rows
            if (films is None or row["growth_id"] in films) and (quantity is None or row["quantity"] == quantity)
        ]

    return Difference(a.label, b.label, changes(chosen(a.numbers), chosen(b.numbers), reasons), notes)


def recomputed(
    house: House,
    overrides: Mapping[str, Mapping[str, Any]],
    *,
    films: Sequence[str] | None = None,
    quantity: str | None = None,
    processes: int = 1,
    tell: Progress = lambda *_: None,
) -> Difference:
    """Recompute films from the vault by the present code, with other parameters where some are given, and compare.

    The former version is the lake's, with the parameters that each activity recorded. Where its code is not the
    present one and parameters are given, it is recomputed too, so that only the parameters differ.

    Parameters
    ----------
    house : House
        The home; nothing in it changes.
    overrides : mapping
        Asset -> parameter -> value; empty to see what the present code makes.
    films : sequence of str, optional
        Only these; without them also what spans films.
    quantity : str, optional
        Only this quantity is compared.
    processes : int
        How many films at a time.
    tell : callable
        Called with (film or "all films", asset) for each that was computed.
    """
    recorded = Recorded(house)
    try:
        former = side_of(f"the lake at snapshot {recorded.snapshot}", recorded)
        known = sorted({row["growth_id"] for row in recorded.files()})
        chosen = _films(films, known)
        wanted, judged = _wanted(chosen, films is None, overrides)
        settings = {(row["growth_id"], row["asset"]): row["parameters"] for row in former.versions}
        if overrides and _is_of_other_code(former, house):
            with _computed(house, wanted, settings, {}, processes, tell) as made:
                former = _side(made, "recomputed by the present code")
        told = " ".join(f"{asset}.{name}={values[name]}" for asset, values in overrides.items() for name in values)
        with _computed(house, wanted, settings, overrides, processes, tell) as made:
            later = _side(made, f"recomputed with {told}" if told else "recomputed by the present code")
    finally:
        recorded.close()
    return compare(_only(former, judged, wanted), _only(later, judged, wanted), films=films, quantity=quantity)


def parse_parameters(written: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return asset -> parameter -> value from texts like ``xrr_fit.generations=400``.

    Raises
    ------
    InvalidRecord
        The text is not of that form, or there is no such asset or parameter.
    """
    known = {asset.name: asset for asset in all_assets() if asset.parameters is not None}
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for text in written:
        name, has_value, value = text.partition("=")
        asset, _, parameter = name.strip().partition(".")
        if not has_value or not parameter:
            raise InvalidRecord(f"--with {text!r}", "ASSET.PARAMETER=VALUE, as xrr_fit.generations=9", "Correct it.")
        if asset not in known:
            raise InvalidRecord(f"asset {asset!r}", f"one of {', '.join(sorted(known))}", "Correct --with.")
        kind = known[asset].parameters
        names = [f.name for f in fields(kind)] if kind is not None else []
        if parameter not in names:
            raise InvalidRecord(f"parameter {parameter!r} of {asset}", f"one of {', '.join(names)}", "Correct --with.")
        found[asset][parameter] = yaml.safe_load(value)
    return dict(found)


def _films(films: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    missing = sorted(set(films or ()) - set(known))
    if missing:
        raise InvalidRecord(
            f"no film {missing[0]!r}", f"one of {len(known)} films", "rutile sql 'FROM growth' lists them."
        )
    return sorted(films) if films else list(known)


def _wanted(
    films: Sequence[str], is_all: bool, overrides: Mapping[str, Any]
) -> tuple[dict[str | None, list[str]], set[str]]:
    """Return the assets to compute by film, and those whose numbers are compared: with overrides, what they reach."""
    assets = all_assets()
    judged = set(overrides) or {asset.name for asset in assets}
    for asset in assets:
        if judged.intersection(asset.reads):
            judged.add(asset.name)
    needed = set(judged)
    for asset in reversed(assets):
        if asset.name in needed:
            needed.update(asset.reads)
    of_film = [asset.name for asset in assets if asset.name in needed and not asset.spans_films]
    across = [asset.name for asset in assets if asset.name in needed and asset.spans_films]
    wanted: dict[str | None, list[str]] = {film: of_film for film in films}
    if is_all:
        wanted[None] = across
    return wanted, judged


def _is_of_other_code(former: Side, house: House) -> bool:
    """Tell whether parameters alone would not explain what a recomputation differs in."""
    readers: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    for row in house.lake.rows("SELECT growth_id, technique, reader FROM current_raw_file"):
        readers[row["growth_id"], row["technique"]].append(row["reader"])
    assets = {asset.name: asset for asset in all_assets()}
    for version in former.versions:
        asset = assets.get(version["asset"])
        if asset is not None:
            mine = readers.get((version["growth_id"], asset.files), []) if asset.files else []
            if asset.code.joined(map(reader_code, mine)).digest != version["code_version"]:
                return True
    return False


@contextmanager
def _computed(
    house: House,
    wanted: Mapping[str | None, Sequence[str]],
    settings: Mapping[Key, Mapping[str, Any]],
    overrides: Mapping[str, Mapping[str, Any]],
    processes: int,
    tell: Progress,
) -> Iterator[Recomputed]:
    own = dict(settings)
    for asset, values in overrides.items():
        for film in wanted:
            own[film, asset] = {**own.get((film, asset), {}), **values}
    with clean_home(house) as folder:
        made = recompute(house, folder, wanted, own, processes=processes, tell=tell)
        try:
            yield made
        finally:
            made.house.lake.close()


def _side(made: Recomputed, label: str) -> Side:
    recorded = Recorded(made.house)
    try:
        failures = {key: why for key, why in made.failures.items() if not why.startswith(NOTHING_TO_COMPUTE)}
        return side_of(label, recorded, failures)
    finally:
        recorded.close()


def _only(side: Side, judged: set[str], wanted: Mapping[str | None, Sequence[str]]) -> Side:
    """Keep the numbers that were computed anew."""
    spans = {asset.name: asset.spans_films for asset in all_assets()}
    kept = [
        row
        for row in side.numbers
        if row["asset"] in judged and (None if spans.get(row["asset"], False) else row["growth_id"]) in wanted
    ]
    return Side(side.label, side.versions, kept, side.parents, side.code, side.files, side.failures)


def _reasons(a: Side, b: Side) -> dict[tuple[str, str], str]:
    """Return why the versions of each asset of each film differ: code, parameters, files, or what they read."""
    before = {(row["growth_id"], row["asset"]): row for row in a.versions}
    code = {**a.code, **b.code}
    reasons: dict[tuple[str, str], str] = {}
    for row in b.versions:
        then = before.get((row["growth_id"], row["asset"]))
        place = (row["growth_id"] or "", row["asset"])
        if then is None:
            reasons[place] = "never computed before"
            continue
        told = []
        if then["code_version"] != row["code_version"]:
            parts = [c.text for c in code_changes(*(code.get(v["code_version"], NO_CODE) for v in (then, row)))]
            more = f" and {len(parts) - PARTS} more" if len(parts) > PARTS else ""
            told.append("; ".join(parts[:PARTS]) + more)
        told += [
            f"parameter {name}: {then['parameters'].get(name)!r}, then {row['parameters'].get(name)!r}"
            for name in sorted(then["parameters"].keys() | row["parameters"].keys())
            if json.dumps(then["parameters"].get(name)) != json.dumps(row["parameters"].get(name))
        ]
        then_files, files = _files_of(a, then), _files_of(b, row)
        names = sorted(n for n in then_files.keys() | files.keys() if then_files.get(n) != files.get(n))
        if names:
            told.append(f"files: {', '.join(names[:PARTS])}")
        reasons[place] = "; ".join(told) or "what it reads has changed"
    return reasons


def _files_of(side: Side, version: Row) -> dict[str, str]:
    above = side.parents.get(version["entity_id"], [])
    return {row["original_path"]: row["data_version"] for row in above if row["kind"] == "raw_file"}
