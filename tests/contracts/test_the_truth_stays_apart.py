"""The truth of a simulated campaign is nowhere in the inbox, and nothing but the score reads it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import struct
from pathlib import Path

import pytest

from rutile_assets.ops.in_memory import compute_folder
from rutile_assets.simulation.campaign import Campaign, simulate

PACKAGE = Path(__file__).resolve().parents[2] / "rutile_assets"
MAY_SIMULATE = {"commands/campaign.py", "results/null_control.py"}
MAY_READ_THE_TRUTH = {"ops/score.py", "commands/campaign.py"}


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return simulate(tmp_path_factory.mktemp("light"), films=3, light=True)


def _modules() -> list[tuple[str, str]]:
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "simulation"]
    return [(path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def test_only_the_command_line_imports_the_simulation() -> None:
    for name, text in _modules():
        imported = {
            word
            for node in ast.walk(ast.parse(text))
            for word in (
                [node.module or ""] if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            )
        }  # fmt: skip
        assert name in MAY_SIMULATE or not any(word.startswith("rutile_assets.simulation") for word in imported), name


def test_only_the_score_knows_where_the_truth_is() -> None:
    found = {name for name, text in _modules() if re.search(r"truth\.json|[\"']truth[\"']", text)}
    assert "ops/score.py" in found
    assert found <= MAY_READ_THE_TRUTH


def test_no_file_of_the_inbox_holds_a_true_number(light: Campaign) -> None:
    assert light.truth not in light.inbox.parents
    assert not light.truth.is_relative_to(light.inbox)
    truths = json.loads((light.truth / "truth.json").read_text())
    # numbers that were drawn have all their digits; those of few digits (a relaxation of 0) say nothing
    numbers = [q["value"] for q in truths["quantities"] if len(f"{q['value']:.7g}") > 7]
    assert len(numbers) > 30
    content = [(path, path.read_bytes()) for path in sorted(light.inbox.rglob("*.*"))]
    assert len(content) > 20
    for value in numbers:
        # not as a single-precision float: pixels of a map come that near to its mean
        traces = [f"{value:.7g}".encode(), struct.pack("<d", value), struct.pack(">d", value)]
        for path, data in content:
            assert not any(trace in data for trace in traces), (path, value)


def test_numbers_are_the_same_where_no_truth_is_near(light: Campaign, tmp_path: Path) -> None:
    film = light.inbox / light.films[2].growth_id
    alone = tmp_path / film.name
    shutil.copytree(film, alone)
    here, there = compute_folder(film), compute_folder(alone)
    assert here.results == there.results
    assert {row["technique"] for row in here.results} == {"afm", "kpfm", "transport"}
