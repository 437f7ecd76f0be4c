"""The rules of the house as tests: names, units, meanings, docs, rooms."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from rutile_assets import cli
from rutile_assets import reference as docs
from rutile_assets.errors import InvalidRecord
from rutile_assets.provenance.tables import PROVENANCE_TABLES
from rutile_assets.rooms import ROOMS, all_assets, all_tables
from rutile_assets.table import Column, Table, estimated
from rutile_assets.units import UNIT_SUFFIXES, convert, registry, unit_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "rutile_assets"
# numbers whose unit stands in the row beside them
UNIT_IN_THE_ROW = {"value", "sigma", "sigma_statistical", "sigma_systematic", "covariance", "shift", "difference"}
READING = "reading"  # so ends a number in the unit of reading_unit in the same row
TABLES = {table.name: table for table in all_tables()}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_number_has_a_unit_in_its_name_and_every_column_a_meaning(name: str) -> None:
    for column in TABLES[name].columns:
        assert column.description
        assert column.name == column.name.lower()
        if column.name.endswith(READING) and column.type == "double":
            assert "reading_unit" in TABLES[name].column_names
        elif column.type in ("double", "integer") and column.name not in UNIT_IN_THE_ROW:
            assert column.unit is not None, f"{name}.{column.name} carries no unit of units.py"


def test_one_name_has_one_meaning_in_the_whole_lake() -> None:
    meanings: dict[str, tuple[str, str]] = {}
    for table in TABLES.values():
        for column in table.columns:
            meaning = (column.type, column.description)
            assert meanings.setdefault(column.name, meaning) == meaning, f"{table.name}.{column.name}"


def test_every_uncertainty_says_where_it_comes_from() -> None:
    for table in TABLES.values():
        names = table.column_names
        for name in names:
            if name.endswith("_std") and table not in PROVENANCE_TABLES:
                assert name.removesuffix("_std") in names
                assert f"{name}_source" in names


@pytest.mark.parametrize("suffix", sorted(UNIT_SUFFIXES))
def test_every_suffix_is_a_unit_that_pint_knows(suffix: str) -> None:
    registry().Unit(UNIT_SUFFIXES[suffix])
    assert unit_of(f"quantity_{suffix}") is not None


def test_units_convert_and_wrong_ones_do_not() -> None:
    assert convert(1.0, "micrometer", "nm") == pytest.approx(1000.0)
    assert convert(10.0, "S/cm * nm", "2d_s") == pytest.approx(1e-6)
    with pytest.raises(Exception, match=r"[Cc]annot convert"):
        convert(1.0, "kelvin", "nm")


def test_the_same_declaration_makes_pandera_arrow_and_sql() -> None:
    table = Table(
        "t", "T.", "one", ("t_id",), (Column("t_id", "bigint", "id"), *estimated("size_nm", "a size", minimum=0))
    )
    assert table.arrow_schema.field("size_nm").metadata[b"unit"] == b"nm"
    assert "size_nm\" IS 'a size [nm]'" in "\n".join(table.sql("lake"))
    row = {"t_id": 1, "size_nm": 2.0, "size_nm_std": None, "size_nm_std_source": None}
    assert table.frame([row]).size_nm_std.isna().all()
    wrong = [
        ({**row, "size_nm": -1.0}, "size_nm"),
        ({**row, "size_nm": None}, "size_nm"),
        ({**row, "size_nm_std_source": "guess"}, "guess"),
        ({**row, "colour": "red"}, "unknown"),
        ({"t_id": 1}, "missing"),
        ({**row, "t_id": "x"}, "t:"),
    ]
    for bad, words in wrong:
        with pytest.raises(InvalidRecord, match=words):
            table.frame([bad])
    with pytest.raises(InvalidRecord, match="t_id"):
        table.frame(pd.DataFrame([row, row]))


def test_rooms_load_and_their_assets_read_what_exists() -> None:
    names = {asset.name for asset in all_assets()}
    assert len(names) == len(all_assets())
    seen: set[str] = set()
    for asset in all_assets():
        assert asset.description, asset.name
        assert set(asset.reads) <= seen, f"{asset.name} reads what stands below it"
        seen.add(asset.name)
    techniques = {file.parent.name for file in PACKAGE.glob("techniques/*/assets.py")}
    joined = {
        file.stem for file in PACKAGE.glob("results/*.py") if re.search(r"^ROOM = ", file.read_text(), re.MULTILINE)
    }
    joined |= {file.parent.name for file in PACKAGE.glob("results/*/assets.py")}
    assert {room.name for room in ROOMS} == techniques | joined


def test_only_the_lake_opens_duckdb() -> None:
    for path in PACKAGE.rglob("*.py"):
        imports = re.findall(r"^\s*(?:import|from) duckdb\b", path.read_text(), re.MULTILINE)
        assert not imports or path.parent.name == "lake", path


def test_modules_stay_below_600_lines_and_definitions_below_60() -> None:
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 600, path
    assert len((ROOT / "definitions.py").read_text().splitlines()) < 60


def test_public_functions_that_take_arrays_say_their_shape_or_unit() -> None:
    for path in [*PACKAGE.glob("physics/*.py"), *PACKAGE.glob("techniques/*/model.py")]:
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            takes_array = any("Array" in ast.unparse(a.annotation) for a in node.args.args if a.annotation)
            if takes_array:
                text = ast.get_docstring(node) or ""
                assert re.search(r"\((?:[A-Z](?: \+ \d)?,? ?)+\)|\[[^\]]+\]|levelled map", text), (
                    f"{path.name}:{node.name}"
                )


@pytest.mark.parametrize("page", sorted(docs.pages()))
def test_pages_made_from_the_code_are_up_to_date(page: str) -> None:
    assert (docs.DOCS / page).read_text(encoding="utf-8") == docs.pages()[page], "python -m rutile_assets.reference"


def test_every_command_has_help_that_reads_like_documentation() -> None:
    for name, command in cli.main.commands.items():
        text = CliRunner().invoke(cli.main, [name, "--help"]).output
        assert inspect.getdoc(command.callback), name
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert getattr(parameter, "help", None), f"{name} {parameter.name}"
        assert "Usage" in text


@pytest.mark.parametrize(
    "page", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/growth.md", "docs/conventions.md"]
)
def test_paths_that_the_pages_name_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target
    for target in re.findall(r"`((?:rutile_assets|docs|sql|tests|benchmarks|deploy)/[\w./-]+)`", text):
        assert (ROOT / target).exists(), target
