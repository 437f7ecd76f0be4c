"""Code versions: what counts as a change, and what it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rutile_assets.provenance import code_version as module
from rutile_assets.provenance.code_version import CodeVersion, changed_parts, code_version

MODEL = '''\
"""A model."""
from __future__ import annotations

from rutile_assets_toy.constants import PLANE_SPACING_NM
from rutile_assets_toy import helpers

UNUSED = 1
FACTOR = 2.0


class Settings:
    """Settings."""

    width: float = 0.5

    def twice(self) -> float:
        """Return it twice."""
        return 2 * self.width


def thickness(planes: int, scale: float = 1.0) -> float:
    """Return a thickness."""
    # planes times spacing
    total: float = helpers.double(planes)
    return total * PLANE_SPACING_NM * scale / FACTOR * Settings.width


class Unknown:
    """What annotations may name."""


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
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., CodeVersion]]:
    """Write a toy package, with replacements, and return its function's version."""
    monkeypatch.setattr(module, "PACKAGE", "rutile_assets_toy")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "rutile_assets_toy"
    package.mkdir()

    def version(*replacements: tuple[str, str]) -> CodeVersion:
        texts = {"__init__": "", "model": MODEL, "helpers": HELPERS, "constants": CONSTANTS}
        for name, text in texts.items():
            for old, new in replacements:
                text = text.replace(old, new)  # noqa: PLW2901
            (package / f"{name}.py").write_text(text)
        for name in [n for n in sys.modules if n.startswith("rutile_assets_toy")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        module._module.cache_clear()
        return code_version(importlib.import_module("rutile_assets_toy.model").thickness)

    yield version
    module._module.cache_clear()


def test_the_parts_are_what_the_function_uses_and_nothing_else(toy: Callable[..., CodeVersion]) -> None:
    assert {name.removeprefix("rutile_assets_toy.") for name in toy().parts} == {
        "model.thickness", "model.FACTOR", "model.Settings", "helpers.double", "constants.PLANE_SPACING_NM",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.3248", "0.3249", "constants.PLANE_SPACING_NM: was 0.3248, is 0.3249"),
        ("return 2 * x", "return x + x", "helpers.double changed"),
        ("width: float = 0.5", "width: float = 0.6", "model.Settings changed"),
        ("return 2 * self.width", "return 3 * self.width", "model.Settings.twice changed"),
        ("def twice", "def thrice", "model.Settings.thrice is new"),
        ("scale: float = 1.0", "scale: float = 1.1", "model.thickness changed"),
        ("FACTOR = 2.0", "FACTOR = 4.0", "model.FACTOR: was 2.0, is 4.0"),
        ("FACTOR = 2.0", f"FACTOR = {'1 + ' * 40}1", "model.FACTOR: was 2.0, is " + "1 + " * 29 + "1 +…"),
    ],
)
def test_a_changed_line_constant_or_default_is_named(
    toy: Callable[..., CodeVersion], old: str, new: str, told: str
) -> None:
    before, after = toy(), toy((old, new))
    assert before.digest != after.digest
    changes = changed_parts(before.parts, after.parts, before.details, after.details)
    assert changes[:1] == [f"rutile_assets_toy.{told}"]
    assert len(changes) == 1 or "twice is gone" in changes[1]


def test_without_the_details_of_an_older_lake_the_part_is_named_all_the_same(toy: Callable[..., CodeVersion]) -> None:
    before, after = toy(), toy(("0.3248", "0.3249"), ("return 2 * self", "return 3 * self"))
    assert changed_parts(before.parts, after.parts, {}, after.details) == [
        "rutile_assets_toy.constants.PLANE_SPACING_NM changed, is 0.3249", "rutile_assets_toy.model.Settings changed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Return a thickness."""', '"""Return the thickness of a film [nm]."""'),
        ('"""Twice."""', ""),
        ('"""Settings."""', ""),
        ("# planes times spacing", "# another comment"),
        ("return 3 * x", "return 4 * x"),
        ("UNUSED = 1", "UNUSED = 2"),
        ("    return 2 * x", "    return (2 *\n        x)"),
        ("planes: int", "planes: float"),
        ("planes: int", "planes: Unknown"),
        (') -> float:\n    """Return a th', ') -> Unknown:\n    """Return a th'),
        ("total: float = ", "total = "),
        ("width: float", "width: int | None"),
        ("FACTOR = 2.0", "FACTOR: float = 2.0"),
        ("def twice(self) -> float", "def twice(self: Unknown) -> Unknown"),
    ],
)
def test_words_layout_annotations_and_unused_code_change_nothing(
    toy: Callable[..., CodeVersion], old: str, new: str
) -> None:
    assert toy() == toy((old, new))


def test_an_annotation_that_changes_what_a_class_is_made_of_counts(toy: Callable[..., CodeVersion]) -> None:
    assert toy().digest != toy(("width: float = 0.5", "width: ClassVar[float] = 0.5")).digest
    assert toy().digest != toy(("width: float = 0.5", "width = 0.5")).digest
