"""A film's lineage as a picture: raw files on the left, assets by their distance from them, numbers on the right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

_ROW, _GAP, _TOP = 22, 8, 34
_FILE_WIDTH, _ASSET_WIDTH, _NUMBER_WIDTH, _BETWEEN = 236, 154, 250, 42
_LETTERS = {"file": 33, "asset": 22, "number": 34}


def drawn_lineage(
    files: Sequence[dict[str, Any]],
    entities: Sequence[dict[str, Any]],
    edges: Sequence[dict[str, Any]],
    numbers: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return the nodes and lines of the picture.

    Parameters
    ----------
    files : sequence of dict
        Raw files; those that nothing current was made from are left out: file_id, original_path, technique, is_past.
    entities : sequence of dict
        Current versions of assets: entity_id, asset, stale (reasons); with a label where that is to be drawn.
    edges : sequence of dict
        child, parent.
    numbers : sequence of dict
        Current numbers: result_id, entity_id, file_id, label, subject, shown, unit.

    Returns
    -------
    dict
        width, height, columns (headings), nodes (id, href, kind, text, title, x, y, width, up) and lines (path, from,
        to). ``up`` lists the ids of everything that the node was made from: of a number that rests on one file, that
        file alone among those its asset read.
    """
    parents: dict[str, list[str]] = defaultdict(list)
    known = {f"file-{f['file_id']}" for f in files} | {f"entity-{e['entity_id']}" for e in entities}
    for edge in edges:
        for kind in ("file", "entity"):
            if (name := f"{kind}-{edge['parent']}") in known and name not in parents[f"entity-{edge['child']}"]:
                parents[f"entity-{edge['child']}"].append(name)
    read = {edge["parent"] for edge in edges}
    growths = {f"entity-{e['entity_id']}" for e in entities if e["asset"] == "growth"}
    depth = _depths([f"entity-{e['entity_id']}" for e in entities], parents)
    deepest = max(depth.values(), default=1)
    x = {0: 0, **{d: _FILE_WIDTH + _BETWEEN + (d - 1) * (_ASSET_WIDTH + _BETWEEN) for d in range(1, deepest + 2)}}
    nodes = [
        _node(f"file-{f['file_id']}", "file", f["original_path"], f"raw file {f['original_path']}", 0)
        | {"group": f["technique"]}
        for f in sorted(files, key=lambda f: (f["technique"], f["original_path"]))
        if f["file_id"] in read
    ]
    nodes += [
        _node(
            f"entity-{e['entity_id']}", "asset", e.get("label", e["asset"]), f"asset {e.get('label', e['asset'])}",
            depth[f"entity-{e['entity_id']}"],
        )
        | {"stale": bool(e["stale"])}
        for e in entities
    ]  # fmt: skip
    nodes += [
        _node(f"number-{n['result_id']}", "number", f"{n['label']} {n['subject']}".strip(), _told(n), deepest + 1)
        for n in numbers
    ]
    for n in numbers:
        parents[f"number-{n['result_id']}"] = [f"entity-{n['entity_id']}"]
    made_by = {f"number-{n['result_id']}": f"file-{n['file_id']}" for n in numbers if n["file_id"]}
    for node in nodes:
        node["up"] = _ancestors(node["id"], parents, made_by.get(node["id"]))
    height = _placed(nodes, parents, growths, deepest)
    at = {node["id"]: node for node in nodes}
    for node in nodes:
        node["x"], node["width"] = x[node["column"]], _width(node["kind"])
    lines = [
        {"path": _curve(at[parent], at[child]), "from": parent, "to": child}
        for child, above in parents.items()
        if child in at
        for parent in above
        if parent in at
    ]
    columns = [{"x": 0, "text": "raw files"}, {"x": x[1], "text": "assets"}, {"x": x[deepest + 1], "text": "numbers"}]
    return {
        "width": x[deepest + 1] + _NUMBER_WIDTH,
        "height": height,
        "columns": columns,
        "nodes": nodes,
        "lines": lines,
    }


def _told(number: dict[str, Any]) -> str:
    return f"{number['label']} {number['subject']} = {number['shown']} {number['unit']}".replace("  ", " ").strip()


def _node(identity: str, kind: str, text: str, title: str, column: int) -> dict[str, Any]:
    most = _LETTERS[kind]
    short = text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"
    return {
        "id": identity, "href": f"#{identity}", "kind": kind, "text": short, "title": title, "column": column,
        "stale": False, "group": "",
    }  # fmt: skip


def _width(kind: str) -> int:
    return {"file": _FILE_WIDTH, "asset": _ASSET_WIDTH, "number": _NUMBER_WIDTH}[kind]


def _depths(entities: Sequence[str], parents: dict[str, list[str]]) -> dict[str, int]:
    """Return the longest way of each entity down to a raw file, in steps of assets; 1 where it reads files alone."""
    depth: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in depth:
            depth[name] = 1
            depth[name] = 1 + max((of(p) for p in parents.get(name, []) if p.startswith("entity-")), default=0)
        return depth[name]

    for name in entities:
        of(name)
    return depth


def _ancestors(start: str, parents: dict[str, list[str]], only_file: str | None) -> list[str]:
    found: dict[str, None] = {}
    waiting = [start]
    while waiting:
        above = parents.get(waiting.pop(), [])
        narrowed = only_file in above
        for parent in above:
            if parent in found or (narrowed and parent.startswith("file-") and parent != only_file):
                continue
            found[parent] = None
            waiting.append(parent)
    return list(found)


def _placed(nodes: list[dict[str, Any]], parents: dict[str, list[str]], growths: set[str], deepest: int) -> int:
    """Set every node's y: each column in the order of the middle of what its nodes were made from; return the height.

    The growth, which nearly all read, counts only where there is nothing else.
    """
    at: dict[str, float] = {}
    height = 0

    def middle(node: dict[str, Any]) -> float:
        above = parents.get(node["id"], [])
        placed = [at[name] for name in above if name in at and name not in growths] or [at[n] for n in above if n in at]
        return sum(placed) / len(placed) if placed else _TOP

    for column in range(deepest + 2):
        here = [node for node in nodes if node["column"] == column]
        if column:
            here.sort(key=middle)
        y, group = float(_TOP), here[0]["group"] if here else ""
        for node in here:
            wanted = middle(node) if 0 < column <= deepest else y
            y = max(y + (_GAP if node["group"] != group else 0), wanted)
            group = node["group"]
            node["y"] = at[node["id"]] = round(y)
            y += _ROW + (_GAP if node["kind"] == "asset" else 0)
        height = max(height, round(y))
    return height + _GAP


def _curve(parent: dict[str, Any], child: dict[str, Any]) -> str:
    x0, y0 = parent["x"] + parent["width"], parent["y"] + _ROW // 2 - 2
    x1, y1 = child["x"], child["y"] + _ROW // 2 - 2
    half = max((x1 - x0) // 2, 20)
    return f"M{x0} {y0}C{x0 + half} {y0} {x1 - half} {y1} {x1} {y1}"
