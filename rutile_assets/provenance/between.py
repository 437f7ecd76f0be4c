"""What changed between two versions of the same thing: the ends of the chains that made its data others."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rutile_assets.lake.tables import Reading
from rutile_assets.provenance.change import (
    Change,
    code_changes,
    file_change,
    parameter_changes,
    recorded_code,
    roots_of,
)

Pair = tuple[int, int]  # entity_ids: the older version, the newer one
Root = tuple[str, str]  # asset, sentence
_DEEPEST = 12
_ACTIVITIES = """
    SELECT entity.entity_id, entity.asset, activity.code_version, activity.parameters, run.environment_id
    FROM lake.entity
    INNER JOIN lake.activity AS activity ON entity.activity_id = activity.activity_id
    LEFT JOIN lake.run AS run ON activity.run_id = run.run_id
    WHERE entity.entity_id IN ({ids})
"""
_PARENTS = """
    SELECT edge.child, edge.role, parent.entity_id, parent.kind, parent.asset, parent.growth_id, parent.data_version,
        file.original_path, file.sha256
    FROM lake.edge
    INNER JOIN lake.entity AS parent ON edge.parent = parent.entity_id
    LEFT JOIN lake.raw_file AS file ON parent.kind = 'raw_file' AND parent.entity_id = file.file_id
    WHERE edge.child IN ({ids})
"""
_CODE = "SELECT * FROM lake.code WHERE code_version IN (SELECT unnest(?::VARCHAR[]))"


def causes(ask: Reading, pairs: Iterable[Pair]) -> dict[Pair, tuple[Root, ...]]:
    """Return, for each pair of versions of an asset, why their data differ.

    Code, parameters and files count where they stand; an upstream asset with other data leads on to its own versions.
    Where none of these differs, the machine or its packages do, and that is said.
    """
    changes: dict[Pair, list[Change]] = {}
    leads: dict[Pair, list[Pair]] = {}
    named: dict[Pair, str] = {}
    waiting = set(pairs)
    for _ in range(_DEEPEST):
        if not waiting:
            break
        found = _compared(ask, waiting)
        for pair, (name, own, above) in found.items():
            named[pair], changes[pair], leads[pair] = name, own, above
        waiting = {pair for *_, above in found.values() for pair in above} - changes.keys()
    return {pair: tuple(_ends(pair, named, changes, leads, frozenset())) for pair in named}


def _ends(
    pair: Pair,
    named: dict[Pair, str],
    changes: dict[Pair, list[Change]],
    leads: dict[Pair, list[Pair]],
    seen: frozenset[Pair],
) -> list[Root]:
    if pair not in named or pair in seen:
        return []
    ends = roots_of(named[pair], changes[pair])
    for above in leads[pair]:
        ends += _ends(above, named, changes, leads, seen | {pair})
    return list(dict.fromkeys(ends))


def _compared(ask: Reading, pairs: set[Pair]) -> dict[Pair, tuple[str, list[Change], list[Pair]]]:
    ids = ", ".join(str(int(i)) for i in sorted({i for pair in pairs for i in pair}))
    made = {row["entity_id"]: row for row in ask.rows(_ACTIVITIES.format(ids=ids))}
    above: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in ask.rows(_PARENTS.format(ids=ids)):
        above[row["child"]].append(row)
    digests = {made[i]["code_version"] for old, new in pairs for i in (old, new) if i in made}
    codes = {
        row["code_version"]: recorded_code(row["code_version"], row["parts"], row["part_details"])
        for row in ask.rows(_CODE, [list(digests)])
    }
    known: dict[tuple[str, str, str, str], list[Change]] = {}
    found = {}
    for old, new in pairs:
        if old not in made or new not in made:
            continue
        was, now = made[old], made[new]
        recipe = (was["code_version"], now["code_version"], was["parameters"], now["parameters"])
        if recipe not in known:
            known[recipe] = _recipe_changes(*recipe, codes)
        files, leads = _parents(above[old], above[new])
        own = [*known[recipe], *files]
        if not own and not leads:
            own = [_unexplained(elsewhere=was["environment_id"] != now["environment_id"])]
        found[old, new] = (now["asset"], own, leads)
    return found


def _recipe_changes(old_code: str, new_code: str, old: str, new: str, codes: dict[str, Any]) -> list[Change]:
    none = recorded_code("", None, None)
    changes = [] if old_code == new_code else code_changes(codes.get(old_code, none), codes.get(new_code, none))
    return changes + parameter_changes(json.loads(old), json.loads(new))


def _parents(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> tuple[list[Change], list[Pair]]:
    """Return the files that differ, and pairs of versions of upstream assets that do."""
    then = {row["original_path"]: row for row in old if row["kind"] == "raw_file"}
    now = {row["original_path"]: row for row in new if row["kind"] == "raw_file"}
    files = [file_change(path, "new") for path in sorted(now.keys() - then.keys())]
    files += [file_change(path, "withdrawn") for path in sorted(then.keys() - now.keys())]
    files += [
        file_change(path, "declared" if then[path]["sha256"] == now[path]["sha256"] else "replaced")
        for path in sorted(now.keys() & then.keys())
        if now[path]["data_version"] != then[path]["data_version"]
    ]
    read = {(row["growth_id"], row["asset"]): row for row in old if row["kind"] == "asset"}
    now_read = [row for row in new if row["kind"] == "asset"]
    leads = [
        (read[key]["entity_id"], row["entity_id"])
        for row in now_read
        if (key := (row["growth_id"], row["asset"])) in read and read[key]["data_version"] != row["data_version"]
    ]
    gained = sorted({row["asset"] for row in now_read if (row["growth_id"], row["asset"]) not in read})
    return files + [Change("upstream", name, f"upstream {name} is new") for name in gained], leads


def _unexplained(*, elsewhere: bool) -> Change:
    where = "another machine or other packages" if elsewhere else "the same code, parameters and files"
    return Change("code", "", f"computed again with {where}")
