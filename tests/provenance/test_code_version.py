"""Code versions: what counts as a change, and what it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rutile_assets.provenance import code_version as module
from rutile_assets.provenance.code_version import changed_parts, code_version

MODEL = '''\
"""A model."""
from rutile_assets_toy.constants import PLANE_SPACING_NM
from rutile_assets_toy import helpers

UNUSED = 1
FACTOR = 2.0


class Settings:
    """Settings."""

    width: float = 0.5


def thickness(planes: int, scale: float = 1.0) -> float:
    """Return a thickness."""
    # planes times spacing
    return helpers.double(planes) * PLANE_SPACING_NM * scale / FACTOR * Settings.width


def other() -> int:
    return UNUSED
'''
HELPERS = '''\
def double(x):
    """Twice."""
    return 2 * x


def triple(x):
    return 3 * x
'''
CONSTANTS = "PLANE_SPACING_NM = 0.3248\n"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, str]]]:
    """Write a toy package, with replacements, and return the parts of its function's version."""
    monkeypatch.setattr(module, "PACKAGE", "rutile_assets_toy")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "rutile_assets_toy"
    package.mkdir()

    def version(*replacements: tuple[str, str]) -> dict[str, str]:
        texts = {"__init__": "", "model": MODEL, "helpers": HELPERS, "constants": CONSTANTS}
        for name, text in texts.items():
            for old, new in replacements:
                text = text.replace(old, new)  # noqa: PLW2901
            (package / f"{name}.py").write_text(text)
        for name in [n for n in sys.modules if n.startswith("rutile_assets_toy")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        module._module.cache_clear()
        return code_version(importlib.import_module("rutile_assets_toy.model").thickness).parts

    yield version
    module._module.cache_clear()


def test_the_parts_are_what_the_function_uses_and_nothing_else(toy: Callable[..., dict[str, str]]) -> None:
    assert {name.removeprefix("rutile_assets_toy.") for name in toy()} == {
        "model.thickness", "model.FACTOR", "model.Settings", "helpers.double", "constants.PLANE_SPACING_NM",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("0.3248", "0.3249", "constants.PLANE_SPACING_NM"),
        ("return 2 * x", "return x + x", "helpers.double"),
        ("width: float = 0.5", "width: float = 0.6", "model.Settings"),
        ("scale: float = 1.0", "scale: float = 1.1", "model.thickness"),
        ("FACTOR = 2.0", "FACTOR = 4.0", "model.FACTOR"),
    ],
)
def test_a_changed_line_constant_or_default_is_named(
    toy: Callable[..., dict[str, str]], old: str, new: str, changed: str
) -> None:
    before, after = toy(), toy((old, new))
    assert changed_parts(before, after) == [f"rutile_assets_toy.{changed} changed"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Return a thickness."""', '"""Return the thickness of a film [nm]."""'),
        ('"""Twice."""', ""),
        ("# planes times spacing", "# another comment"),
        ("return 3 * x", "return 4 * x"),
        ("UNUSED = 1", "UNUSED = 2"),
        ("    return 2 * x", "    return (2 *\n        x)"),
        ("planes: int", "planes: float"),
    ],
)
def test_words_layout_and_unused_code_change_nothing(toy: Callable[..., dict[str, str]], old: str, new: str) -> None:
    assert toy() == toy((old, new))
