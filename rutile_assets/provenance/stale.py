"""What is out of date, and because of which change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as arrow

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.change import NEVER_COMPUTED, Change, roots_of, upstream_change
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.present import Alike, Present, present

_ROOTS_TOLD_APART = 5  # of an upstream of many films; the others are counted


@dataclass(frozen=True, slots=True)
class Stale:
    """An asset of a film, or across films, that is not what it would be if it were computed now.

    Parameters
    ----------
    growth_id : str or None
        The film; None for an asset that spans films.
    asset : str
        Which.
    changes : tuple of Change
        Why: each names the file, function, constant, parameter or upstream asset that changed.
    """

    growth_id: str | None
    asset: str
    changes: tuple[Change, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in words."""
        return tuple(change.text for change in self.changes)

    @property
    def roots(self) -> tuple[tuple[str, str], ...]:
        """The changes at the ends of the chains: asset and sentence."""
        return tuple(roots_of(self.asset, self.changes))


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
    state = present(lake, home, assets, growth_ids)
    missing = sorted(set(growth_ids or ()) - state.films.keys())
    if missing:
        known = lake.rows("SELECT count(DISTINCT growth_id) AS n FROM current_raw_file")[0]["n"]
        raise InvalidRecord(f"no film {missing[0]!r}", f"one of {known} films", "rutile sql 'FROM growth' lists them.")
    of_films = [asset for asset in assets if not asset.spans_films]
    found = _of_films(state, of_films, growth_ids)
    if growth_ids is None:
        computable = {name for alike in set(state.films.values()) for name in _applicable(alike, of_films)}
        for asset in (asset for asset in assets if asset.spans_films):
            if asset.name not in state.across and not computable.intersection(asset.reads):
                continue
            computable.add(asset.name)
            changes = _across(state, asset, found)
            if changes:
                found.append(Stale(None, asset.name, changes))
    return found


def stale_table(found: Sequence[Stale]) -> arrow.Table:
    """Return one row a change: growth_id (NULL: spans films), asset, change_kind, changed, reason, root_cause."""
    rows = [(stale, change) for stale in found for change in stale.changes]
    columns = {
        "growth_id": [stale.growth_id for stale, _ in rows],
        "asset": [stale.asset for stale, _ in rows],
        "change_kind": [change.kind for _, change in rows],
        "changed": [change.what for _, change in rows],
        "reason": [change.text for _, change in rows],
        "root_cause": ["; ".join(f"{a}: {text}" for a, text in roots_of(s.asset, [change])) for s, change in rows],
    }
    return arrow.table({name: arrow.array(values, arrow.string()) for name, values in columns.items()})


def _of_films(state: Present, assets: Sequence[Asset], growth_ids: Sequence[str] | None) -> list[Stale]:
    """Return what is stale of films; those that have the same and changed alike are worked out once."""
    direct: dict[str, list[tuple[str, tuple[Change, ...]]]] = defaultdict(list)
    for (growth_id, name), changes in state.changes.items():
        if growth_id is not None:
            direct[growth_id].append((name, tuple(changes)))
    applicable = {alike: _applicable(alike, assets) for alike in set(state.films.values())}
    incomplete = {alike for alike, names in applicable.items() if names - alike.assets}
    worked_out: dict[object, list[tuple[str, tuple[Change, ...]]]] = {}
    found: list[Stale] = []
    for growth_id in growth_ids or state.films:
        alike = state.films[growth_id]
        if growth_id not in direct and alike not in incomplete:
            continue
        own = direct.get(growth_id, [])
        key = (alike, tuple((name, *map(id, changes)) for name, changes in own))
        if key not in worked_out:
            worked_out[key] = _followed(assets, applicable[alike], alike, dict(own))
        found += [Stale(growth_id, name, changes) for name, changes in worked_out[key]]
    return found


def _followed(
    assets: Sequence[Asset], applicable: set[str], alike: Alike, own: Mapping[str, tuple[Change, ...]]
) -> list[tuple[str, tuple[Change, ...]]]:
    """Return a film's stale assets: those that changed themselves, and what reads them."""
    here: dict[str, tuple[Change, ...]] = {}
    for asset in (asset for asset in assets if asset.name in applicable):
        if asset.name not in alike.assets:
            here[asset.name] = (NEVER_COMPUTED,)
            continue
        changes = [*own.get(asset.name, ())]
        changes += [
            upstream_change(name, "is stale", (), roots_of(name, here[name])) for name in asset.reads if name in here
        ]
        if changes:
            here[asset.name] = tuple(changes)
    return list(here.items())


def _across(state: Present, asset: Asset, found: Iterable[Stale]) -> tuple[Change, ...]:
    """Return why an asset that spans films is stale."""
    if asset.name not in state.across:
        return (NEVER_COMPUTED,)
    changes = [*state.changes.get((None, asset.name), ())]
    waiting: dict[str, dict[tuple[tuple[str, str], ...], list[str]]] = {}
    for stale in found:
        if stale.asset in asset.reads:
            films = waiting.setdefault(stale.asset, {}).setdefault(stale.roots, [])
            films += [] if stale.growth_id is None else [stale.growth_id]
    for name, by_root in waiting.items():
        by_size = sorted(by_root.items(), key=lambda item: (-len(item[1]), item[1]))
        changes += [upstream_change(name, "is stale", films, roots) for roots, films in by_size[:_ROOTS_TOLD_APART]]
        rest = [film for _, films in by_size[_ROOTS_TOLD_APART:] for film in films]
        if rest:
            roots = [root for one, _ in by_size[_ROOTS_TOLD_APART:] for root in one]
            changes.append(upstream_change(name, "is stale", rest, roots))
    return tuple(changes)


def _applicable(alike: Alike, assets: Sequence[Asset]) -> set[str]:
    """Return the assets that such films have what is needed for, or had it once."""
    names: set[str] = set()
    for asset in assets:
        needed = [name for name in asset.reads if name != "growth"] or list(asset.reads)
        if asset.files is not None:
            has = asset.files in alike.techniques
        elif asset.needs:
            has = names.issuperset(asset.needs)
        else:
            has = any(name in names for name in needed)
        if has or asset.name in alike.assets:
            names.add(asset.name)
    return names
