"""What is out of date, and because of which change."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.code_version import changed_parts
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import reader_code

_LATEST = """
    SELECT entity.entity_id, entity.asset, entity.growth_id, entity.data_version,
        activity.code_version, activity.parameters
    FROM lake.entity INNER JOIN lake.activity USING (activity_id)
    WHERE entity.kind = 'asset'
    QUALIFY entity.entity_id = max(entity.entity_id) OVER (PARTITION BY entity.asset, entity.growth_id)
"""
_PARENTS = f"""
    SELECT edge.child, parent.kind, parent.asset, parent.growth_id, parent.entity_id, parent.data_version,
        raw_file.original_path
    FROM lake.edge
    INNER JOIN ({_LATEST}) AS latest ON edge.child = latest.entity_id
    INNER JOIN lake.entity AS parent ON edge.parent = parent.entity_id
    LEFT JOIN lake.raw_file ON parent.entity_id = raw_file.file_id
"""


@dataclass(frozen=True)
class Stale:
    """An asset of a film, or across films, that is not what it would be if it were computed now.

    Parameters
    ----------
    growth_id : str or None
        The film; None for an asset that spans films.
    asset : str
        Which.
    reasons : tuple of str
        Why, in words: each names the file, function, constant, parameter or upstream asset that changed.
    """

    growth_id: str | None
    asset: str
    reasons: tuple[str, ...]


def stale_assets(
    lake: Lake, home: Home, assets: Sequence[Asset], growth_ids: Sequence[str] | None = None
) -> list[Stale]:
    """Return every stale asset of every film, then those that span films, upstream before downstream.

    Parameters
    ----------
    lake, home
        The home to look at.
    assets : sequence of Asset
        In the order in which they build on each other.
    growth_ids : sequence of str, optional
        Only these films, and nothing that spans films.

    Raises
    ------
    InvalidRecord
        A film that was asked for is not in the lake.
    """
    state = _State(lake)
    known = sorted({row["growth_id"] for row in state.files})
    missing = sorted(set(growth_ids or ()) - set(known))
    if missing:
        raise InvalidRecord(
            f"no film {missing[0]!r}", f"one of {len(known)} films", "rutile sql 'FROM growth' lists them."
        )
    of_films = [asset for asset in assets if not asset.spans_films]
    found: list[Stale] = []
    computable: set[str] = set()
    for growth_id in growth_ids or known:
        here: dict[str, Stale] = {}
        applicable: set[str] = set()
        for asset in of_films:
            if not state.is_applicable(asset, growth_id, applicable):
                continue
            applicable.add(asset.name)
            reasons = state.reasons(asset, growth_id, home)
            reasons += [f"upstream {name} is stale" for name in asset.reads if name in here]
            if reasons:
                here[asset.name] = Stale(growth_id, asset.name, tuple(reasons))
        found += here.values()
        computable |= applicable
    if growth_ids is None:
        for asset in (asset for asset in assets if asset.spans_films):
            reasons = _across(state, home, asset, computable, found)
            if reasons:
                found.append(Stale(None, asset.name, tuple(reasons)))
    return found


def _across(state: _State, home: Home, asset: Asset, computable: set[str], found: Sequence[Stale]) -> list[str]:
    """Return why an asset that spans films is stale; nothing where there is nothing to compute it from."""
    if (None, asset.name) not in state.latest and not computable.intersection(asset.reads):
        return []
    computable.add(asset.name)
    waiting: dict[str, list[str]] = defaultdict(list)
    for stale in found:
        if stale.asset in asset.reads:
            waiting[stale.asset].append(stale.growth_id or "all films")
    return state.reasons(asset, None, home) + [
        f"upstream {name} of {_listed(films)} is stale" for name, films in waiting.items()
    ]


class _State:
    """The lake's present versions, read once."""

    def __init__(self, lake: Lake) -> None:
        self.files = lake.rows("SELECT growth_id, technique, original_path, data_version, reader FROM current_raw_file")
        self.latest = {(row["growth_id"], row["asset"]): row for row in lake.rows(_LATEST)}
        self.code = {row["code_version"]: json.loads(row["parts"]) for row in lake.rows("FROM lake.code")}
        self.parents: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in lake.rows(_PARENTS):
            self.parents[row["child"]].append(row)
        self.files_of: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in self.files:
            self.files_of[row["growth_id"], row["technique"]].append(row)

    def is_applicable(self, asset: Asset, growth_id: str, applicable: set[str]) -> bool:
        """Tell whether the film has what the asset needs, or had it once."""
        if (growth_id, asset.name) in self.latest:
            return True
        if asset.files is not None:
            return bool(self.files_of[growth_id, asset.files])
        if asset.needs:
            return applicable.issuperset(asset.needs)
        needed = [name for name in asset.reads if name != "growth"] or list(asset.reads)
        return any(name in applicable for name in needed)

    def reasons(self, asset: Asset, growth_id: str | None, home: Home) -> list[str]:
        latest = self.latest.get((growth_id, asset.name))
        if latest is None:
            return ["never computed"]
        parents = self.parents[latest["entity_id"]]
        return [
            *self._code_changes(asset, growth_id, latest["code_version"]),
            *_parameter_changes(asset, growth_id, home, json.loads(latest["parameters"])),
            *self._file_changes(asset, growth_id, parents),
            *self._upstream_changes(asset, growth_id, parents),
        ]

    def _code_changes(self, asset: Asset, growth_id: str | None, recorded: str) -> list[str]:
        files = self.files_of[growth_id, asset.files] if asset.files and growth_id else []
        now = asset.code.joined(reader_code(row["reader"]) for row in files)
        if now.digest == recorded:
            return []
        return [f"code: {change}" for change in changed_parts(self.code.get(recorded, {}), now.parts)]

    def _file_changes(self, asset: Asset, growth_id: str | None, parents: list[dict[str, Any]]) -> list[str]:
        then = {p["original_path"]: p["data_version"] for p in parents if p["kind"] == "raw_file"}
        rows = self.files_of[growth_id, asset.files] if asset.files and growth_id else []
        now = {row["original_path"]: row["data_version"] for row in rows}
        return [
            *[f"file {path} is new" for path in sorted(now.keys() - then.keys())],
            *[f"file {path} is gone" for path in sorted(then.keys() - now.keys())],
            *[f"file {path} was replaced" for path in sorted(now.keys() & then.keys()) if now[path] != then[path]],
        ]

    def _upstream_changes(self, asset: Asset, growth_id: str | None, parents: list[dict[str, Any]]) -> list[str]:
        then = {(p["growth_id"], p["asset"]): p["data_version"] for p in parents if p["kind"] == "asset"}
        keys = self.latest if asset.spans_films else [(growth_id, name) for name in asset.reads]
        changed: dict[str, list[str]] = defaultdict(list)
        for film, name in keys:
            now = self.latest.get((film, name))
            if now is not None and name in asset.reads and now["data_version"] != then.get((film, name)):
                changed[name].append(film or "all films")
        return [
            f"upstream {name} has new data" + (f" of {_listed(films)}" if asset.spans_films else "")
            for name, films in changed.items()
        ]


def _listed(films: Sequence[str]) -> str:
    """Name up to three films, and say how many more."""
    named = ", ".join(sorted(films)[:3])
    return named if len(films) <= 3 else f"{named} and {len(films) - 3} more"


def _parameter_changes(asset: Asset, growth_id: str | None, home: Home, then: dict[str, Any]) -> list[str]:
    now = json.loads(json.dumps(asset.parameters_as_dict(asset.parameters_for(home, growth_id))))
    return [
        f"parameter {name}: was {then.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]
