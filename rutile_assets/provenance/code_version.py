"""Code versions computed from source: a function, and every function, class and constant of this package it uses.

Docstrings, comments, layout and type annotations do not count; a changed constant, default or line of code does, and
is named: a constant with its value, a class by the method that changed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

PACKAGE = "rutile_assets"
# what moves data and words, not numbers: a change there makes no result another
_PLUMBING = (f"{PACKAGE}.lake", f"{PACKAGE}.provenance", f"{PACKAGE}.errors", f"{PACKAGE}.ops", f"{PACKAGE}.cli")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
_VALUE_LETTERS = 120  # of a constant's value that is kept for people to read
# annotations that change what a class does, and so count
_ANNOTATIONS_THAT_COUNT = ("ClassVar", "InitVar", "KW_ONLY")


@dataclass(frozen=True)
class CodeVersion:
    """The version of a piece of analysis.

    Parameters
    ----------
    digest : str
        One word that changes when any part does.
    parts : dict
        Qualified name (``rutile_assets.physics.reflectivity.parratt``) -> digest of its own source.
    details : dict
        What tells people more of a change: constant -> ``= value``; method -> digest of its source.
    """

    digest: str
    parts: dict[str, str]
    details: dict[str, str] = field(default_factory=dict)

    def joined(self, others: Iterable[CodeVersion]) -> CodeVersion:
        """Return the version of this code together with other code."""
        parts, details = dict(self.parts), dict(self.details)
        for other in others:
            parts.update(other.parts)
            details.update(other.details)
        return CodeVersion(_digest_of(parts), parts, details)


def code_version(*functions: Callable[..., object]) -> CodeVersion:
    """Return the version of functions of this package and of all they use in it.

    Only what the source names is followed: a function reached through a string or a registry is not seen, so the
    caller gives it as one more argument.
    """
    seen: dict[str, str] = {}
    details: dict[str, str] = {}
    waiting = [(f.__module__, f.__qualname__.split(".")[0]) for f in map(inspect.unwrap, functions)]
    while waiting:
        module, name = waiting.pop()
        key = f"{module}.{name}"
        if key in seen or module.startswith(_PLUMBING):
            continue
        made = _defined(_module(module), name)
        if made.digest is not None:
            seen[key] = made.digest
            details.update(made.details)
        waiting.extend(made.used)
    return CodeVersion(_digest_of(seen), dict(sorted(seen.items())), dict(sorted(details.items())))


@dataclass(frozen=True)
class _Definition:
    """What a module has under a name: its digest (None: it only passes it on), details, and what it uses."""

    digest: str | None
    details: dict[str, str]
    used: list[tuple[str, str]]


def _defined(names: _Names, name: str) -> _Definition:
    if name not in names.defined:
        nodes = names.definitions.get(name)
        if nodes is None:
            used = [names.imports[name]] if name in names.imports else []
            names.defined[name] = _Definition(None, {}, used)
        else:
            bare = [_Bare().visit(node) for node in nodes]
            used = [one for node in bare for one in _used(node, names)]
            digest = _digest("\n".join(_source(node) for node in bare))
            names.defined[name] = _Definition(digest, _details(f"{names.module}.{name}", bare), used)
    return names.defined[name]


def changed_parts(
    old: dict[str, str],
    new: dict[str, str],
    old_details: dict[str, str] | None = None,
    new_details: dict[str, str] | None = None,
) -> list[str]:
    """Name what differs between the parts of two code versions, in words; with their details, more closely.

    Examples
    --------
    >>> changed_parts({"m.A": "1", "m.f": "1"}, {"m.A": "2", "m.g": "1"}, {"m.A": "= 3"}, {"m.A": "= 4"})
    ['m.A: was 3, is 4', 'm.g is new', 'm.f is gone']
    """
    then, now = old_details or {}, new_details or {}
    changed = [
        told
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
        for told in _changes_within(name, then, now)
    ]
    added = [f"{name} is new" for name in sorted(new.keys() - old.keys())]
    gone = [f"{name} is gone" for name in sorted(old.keys() - new.keys())]
    return changed + added + gone


def _changes_within(name: str, then: dict[str, str], now: dict[str, str]) -> list[str]:
    """Tell a constant's two values, or which methods of a class changed; else that the whole did."""
    was, is_now = then.get(name, ""), now.get(name, "")
    if was.startswith("= ") and is_now.startswith("= ") and was != is_now:
        return [f"{name}: was {was[2:]}, is {is_now[2:]}"]
    if is_now.startswith("= ") and not was:
        return [f"{name} changed, is {is_now[2:]}"]
    inside = f"{name}."
    methods = sorted(m for m in then.keys() | now.keys() if m.startswith(inside) and then.get(m) != now.get(m))
    if not methods or not any(m.startswith(inside) for m in then):
        return [f"{name} changed"]
    words = {(True, True): "changed", (False, True): "is new", (True, False): "is gone"}
    return [f"{m} {words[m in then, m in now]}" for m in methods]


def is_constant(name: str, *details: dict[str, str]) -> bool:
    """Tell whether a part is a constant, by the details of the versions that have it."""
    return any(known.get(name, "").startswith("= ") for known in details)


@dataclass(frozen=True)
class _Names:
    """The top level of a module: what it defines, and what it takes from this package."""

    module: str
    definitions: dict[str, list[Definition]]
    imports: dict[str, tuple[str, str]]  # local name -> (module, name); name "" means the module itself
    defined: dict[str, _Definition] = field(default_factory=dict)  # worked out so far


@cache
def _module(module: str) -> _Names:
    spec = importlib.util.find_spec(module) if module.startswith(f"{PACKAGE}.") else None
    if spec is None or spec.origin is None:
        return _Names(module, {}, {})
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    definitions: dict[str, list[Definition]] = {}
    imports: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            for alias in node.names:
                imports[alias.asname or alias.name] = _imported(node.module, alias.name)
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                definitions.setdefault(name, []).append(node)
            case ast.Assign(targets=targets):
                for target in targets:
                    for leaf in ast.walk(target):
                        if isinstance(leaf, ast.Name):
                            definitions.setdefault(leaf.id, []).append(node)
            case ast.AnnAssign(target=ast.Name(id=name)):
                definitions.setdefault(name, []).append(node)
            case _:
                pass
    return _Names(module, definitions, imports)


def _imported(module: str, name: str) -> tuple[str, str]:
    try:
        is_module = importlib.util.find_spec(f"{module}.{name}") is not None
    except ModuleNotFoundError:
        is_module = False
    return (f"{module}.{name}", "") if is_module else (module, name)


def _used(node: Definition, names: _Names) -> list[tuple[str, str]]:
    used = []
    for leaf in ast.walk(_body_only(node)):
        if isinstance(leaf, ast.Attribute) and isinstance(leaf.value, ast.Name):
            module, name = names.imports.get(leaf.value.id, ("", "-"))
            if name == "":
                used.append((module, leaf.attr))
        if isinstance(leaf, ast.Name):
            if leaf.id in names.definitions:
                used.append((names.module, leaf.id))
            elif names.imports.get(leaf.id, ("", ""))[1]:
                used.append(names.imports[leaf.id])
    return used


def _body_only(node: Definition) -> ast.AST:
    """Leave out a function's decorators: what an asset is called or drawn with does not change its numbers."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.Module(body=[*node.body, ast.Expr(node.args)], type_ignores=[])  # type: ignore[arg-type]
    return node


class _Bare(ast.NodeTransformer):
    """Takes annotations and docstrings off: neither changes what code does."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        lines = [self._field(line) if isinstance(line, ast.AnnAssign) else line for line in node.body]
        node.body = _without_docstring([self.visit(line) for line in lines])
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Outside a class `x: int = 1` is `x = 1`, and `x: int` alone is nothing."""
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def _function(self, node: Any) -> ast.AST:
        node.returns = None
        node.type_params = []
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        node.body = _without_docstring([self.visit(line) for line in node.body])
        return cast("ast.AST", node)

    @staticmethod
    def _field(node: ast.AnnAssign) -> ast.stmt:
        """Keep the name, since a dataclass has a field for each annotated one whatever the annotation says."""
        said = [node.annotation] if any(w in ast.unparse(node.annotation) for w in _ANNOTATIONS_THAT_COUNT) else []
        value = [] if node.value is None else [node.value]
        return ast.copy_location(ast.Expr(ast.Tuple([node.target, *said, *value], ast.Load())), node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    return [line for line in body if not _is_docstring(line) and not isinstance(line, ast.Pass)] or [ast.Pass()]


def _details(name: str, nodes: Sequence[Definition]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        match node:
            case ast.ClassDef(body=body):
                for inner in body:
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                        found[f"{name}.{inner.name}"] = _digest(_source(inner))
            case ast.Assign(value=value) if len(nodes) == 1:
                text = ast.unparse(value)
                found[name] = f"= {text if len(text) <= _VALUE_LETTERS else text[: _VALUE_LETTERS - 1] + '…'}"
            case _:
                pass
    return found


def _source(node: Definition) -> str:
    """Return the source of a bare definition, whose decorators go too, laid out in one way."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            inner.decorator_list = []
    return ast.unparse(ast.fix_missing_locations(node))


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_of(parts: dict[str, str]) -> str:
    delimited = "".join(f"{len(k)}:{k}={len(v)}:{v};" for k, v in sorted(parts.items()))
    return hashlib.sha256(delimited.encode()).hexdigest()[:20]
