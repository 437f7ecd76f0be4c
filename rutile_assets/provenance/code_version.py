"""Code versions computed from source: a function, and every function, class and constant of this package it uses.

Docstrings, comments and layout do not count; a changed constant, default or line of code does, and is named.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PACKAGE = "rutile_assets"
# what moves data and words, not numbers: a change there makes no result another
_PLUMBING = (f"{PACKAGE}.lake", f"{PACKAGE}.provenance", f"{PACKAGE}.errors", f"{PACKAGE}.ops", f"{PACKAGE}.cli")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class CodeVersion:
    """The version of a piece of analysis.

    Parameters
    ----------
    digest : str
        One word that changes when any part does.
    parts : dict
        Qualified name (``rutile_assets.physics.reflectivity.parratt``) -> digest of its own source.
    """

    digest: str
    parts: dict[str, str]

    def joined(self, others: Iterable[CodeVersion]) -> CodeVersion:
        """Return the version of this code together with other code."""
        parts = dict(self.parts)
        for other in others:
            parts.update(other.parts)
        return CodeVersion(_digest_of(parts), parts)


def code_version(*functions: Callable[..., object]) -> CodeVersion:
    """Return the version of functions of this package and of all they use in it.

    Only what the source names is followed: a function reached through a string or a registry is not seen, so the
    caller gives it as one more argument.
    """
    seen: dict[str, str] = {}
    waiting = [(f.__module__, f.__qualname__.split(".")[0]) for f in map(inspect.unwrap, functions)]
    while waiting:
        module, name = waiting.pop()
        key = f"{module}.{name}"
        if key in seen or module.startswith(_PLUMBING):
            continue
        digest, used = _defined(_module(module), name)
        if digest is not None:
            seen[key] = digest
        waiting.extend(used)
    return CodeVersion(_digest_of(seen), dict(sorted(seen.items())))


def _defined(names: _Names, name: str) -> tuple[str | None, list[tuple[str, str]]]:
    """Return the digest of what a module defines under a name (None: it only passes it on), and what that uses."""
    if name not in names.defined:
        nodes = names.definitions.get(name)
        if nodes is None:
            names.defined[name] = None, [names.imports[name]] if name in names.imports else []
        else:
            digest = hashlib.sha256("\n".join(_source(node) for node in nodes).encode()).hexdigest()[:16]
            names.defined[name] = digest, [used for node in nodes for used in _used(node, names)]
    return names.defined[name]


def changed_parts(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Name what differs between two code versions, in words."""
    changed = [f"{name} changed" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    added = [f"{name} is new" for name in sorted(new.keys() - old.keys())]
    gone = [f"{name} is gone" for name in sorted(old.keys() - new.keys())]
    return changed + added + gone


@dataclass(frozen=True)
class _Names:
    """The top level of a module: what it defines, and what it takes from this package."""

    module: str
    definitions: dict[str, list[Definition]]
    imports: dict[str, tuple[str, str]]  # local name -> (module, name); name "" means the module itself
    defined: dict[str, tuple[str | None, list[tuple[str, str]]]] = field(default_factory=dict)  # worked out so far


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


def _source(node: Definition) -> str:
    copy = ast.parse(ast.unparse(node)).body[0]
    for inner in ast.walk(copy):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            inner.decorator_list = []
            inner.returns = None
            for argument in ast.walk(inner.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner.body = [line for line in inner.body if not _is_docstring(line)] or [ast.Pass()]
    return ast.unparse(copy)


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _digest_of(parts: dict[str, str]) -> str:
    delimited = "".join(f"{len(k)}:{k}={len(v)}:{v};" for k, v in sorted(parts.items()))
    return hashlib.sha256(delimited.encode()).hexdigest()[:20]
