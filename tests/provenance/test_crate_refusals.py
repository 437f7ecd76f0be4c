"""A crate that is tampered with, broken or hostile is refused by name, in one sentence, and nothing of it is taken."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow
import pytest
import zarr
from click.testing import CliRunner
from crate_home import changed_rows, make_home, sign_again, write_manifest
from pyarrow import parquet

from rutile_assets import cli
from rutile_assets.errors import RutileError, UnreadableFile, WrongContent
from rutile_assets.lake import arrays
from rutile_assets.ops.export import write_export
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.crate import archive, opened
from rutile_assets.provenance.crate import rows as crate_rows
from rutile_assets.provenance.crate.adopt import take_in
from rutile_assets.provenance.crate.parts import MANIFEST, METADATA
from rutile_assets.provenance.crate.pictures import check_picture

RAW = "raw/SIM-F015/growth.yaml"
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    house = make_home(folder / "home", films=1, assets=("growth", "afm_image"), across=False)
    write_export(house, folder / "crate", None, None, "crate")
    house.lake.close()
    return folder / "crate"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a home that stays empty: whatever is refused leaves nothing but the refusal."""
    house = open_house(tmp_path_factory.mktemp("empty") / "home")
    yield house
    house.lake.close()


@pytest.fixture
def crate(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "crate")
    return tmp_path / "crate"


def _refused(house: House, path: Path) -> str:
    with pytest.raises(RutileError) as caught:
        take_in(house.lake, house.home, path, RunContext("cli"))
    sentence = str(caught.value)
    assert "\n" not in sentence
    told = house.lake.rows("SELECT path, found, what_to_do FROM rejected_files WHERE path = ?", [str(path)])
    assert len(told) == 1
    assert told[0]["found"].endswith(caught.value.found)
    for table in ("raw_file", "entity", "result", "growth", "origin"):
        assert house.lake.rows(f"SELECT 1 FROM {table}") == [], table
    assert not list(house.home.scratch.glob("crate-*"))
    return sentence


def test_a_tampered_file_is_refused_by_name(empty: House, crate: Path) -> None:
    (crate / RAW).write_bytes((crate / RAW).read_bytes().replace(b"250", b"251", 1) + b"#")
    assert f"crate: {RAW}: found other bytes than the crate was written with" in _refused(empty, crate)


def test_a_file_with_hashes_made_to_fit_is_refused_by_its_record(empty: House, crate: Path) -> None:
    (crate / RAW).write_bytes((crate / RAW).read_bytes() + b"# changed\n")
    sign_again(crate)
    sentence = _refused(empty, crate)
    assert f"{RAW}: found a file with sha256" in sentence
    assert "as its record says" in sentence


def test_missing_and_additional_files_and_links_are_refused_by_name(crate: Path) -> None:
    scratch = crate.parent / "scratch"

    def sentence() -> str:
        with pytest.raises(RutileError) as caught, opened.opened(crate, scratch):
            pass
        return str(caught.value)

    (crate / "extra.txt").write_text("x")
    assert sentence().startswith("extra.txt: found a file that the crate does not list")
    (crate / "extra.txt").unlink()
    (crate / "results.csv").rename(crate.parent / "results.csv")
    assert sentence().startswith("results.csv: found no such file in the crate")
    (crate / "results.csv").symlink_to(crate.parent / "results.csv")
    assert sentence().startswith("results.csv: found a link")
    (crate / "results.csv").unlink()
    os.mkfifo(crate / "results.csv")
    assert sentence().startswith("results.csv: found a link, a device")
    (crate / "results.csv").unlink()
    (crate / "a\x1b[2J").write_text("x")
    assert r"the name 'a\x1b[2J'" in sentence()


METADATA_FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another profile": (lambda nodes: nodes["./"].update(conformsTo={"@id": "https://x"}), "another kind of RO-Crate"),
    "another layout": (lambda nodes: nodes["#layout"].update(value="99"), "another release"),
    "no name": (lambda nodes: nodes["./"].pop("name"), "name 'None'"),
    "no date": (lambda nodes: nodes["./"].update(datePublished="soon"), "datePublished 'soon'"),
    "another hash": (lambda nodes: nodes["results.csv"].update(sha256="0" * 64), f"another hash or size in {METADATA}"),
    "a huge size": (lambda nodes: nodes["results.csv"].update(contentSize="9"), f"another hash or size in {METADATA}"),
    "a file nowhere": (
        lambda nodes: nodes.update(x={"@id": "../../etc/passwd", "@type": "File", "sha256": "0", "contentSize": "1"}),
        f"another hash or size in {METADATA}",
    ),
    "an escape code": (lambda nodes: nodes["./"].update(name="\x1b[2J"), "name '\\x1b[2J'"),
    "a list of types": (lambda nodes: nodes["./"].update(identifier=[1, {"@id": 5}]), "another release"),
}


@pytest.mark.parametrize("name", METADATA_FAULTS)
def test_metadata_that_say_something_else_are_refused(name: str, crate: Path) -> None:
    change, words = METADATA_FAULTS[name]
    content = json.loads((crate / METADATA).read_text())
    nodes = {node["@id"]: node for node in content["@graph"]}
    change(nodes)
    content["@graph"] = list(nodes.values())
    (crate / METADATA).write_text(json.dumps(content))
    write_manifest(crate)
    with pytest.raises((WrongContent, UnreadableFile), match="found") as caught, opened.opened(crate, crate.parent):
        pass
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'{"@graph": 5}', b'{"@graph": ["x"]}', b'{"@graph": [{"@id": {}}]}', b"[" * 100_000,
        b"\xff\xfe",
    ],
)  # fmt: skip
def test_metadata_that_are_none_are_refused(content: bytes, crate: Path) -> None:
    (crate / METADATA).write_bytes(content)
    write_manifest(crate)
    with pytest.raises(UnreadableFile, match=METADATA), opened.opened(crate, crate.parent):
        pass


def test_huge_metadata_and_a_strange_manifest_are_refused(crate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = (crate / MANIFEST).read_text()
    for content in (
        manifest + f"{'0' * 64}  a\x1b[2J\n",
        manifest + "x\n",
        manifest + manifest,
        manifest.replace("  ", " "),
        "\x00",
    ):
        (crate / MANIFEST).write_text(content)
        with pytest.raises(UnreadableFile), opened.opened(crate, crate.parent):
            pass
    (crate / MANIFEST).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UnreadableFile, match="no text"), opened.opened(crate, crate.parent):
        pass
    monkeypatch.setattr(opened, "MAX_METADATA_BYTES", 1000)
    with pytest.raises(UnreadableFile, match="bytes of metadata"), opened.opened(crate, crate.parent):
        pass


def test_what_is_no_crate_is_refused(empty: House, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert f"no {METADATA}" in _refused(empty, tmp_path / "folder")
    (tmp_path / "text.eln").write_text("not a zip")
    assert "a damaged archive" in _refused(empty, tmp_path / "text.eln")
    assert "no file or folder there" in _refused(empty, tmp_path / "nowhere")


def _zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members:
            target.writestr(name, content)
    return path


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


HOSTILE: dict[str, tuple[tuple[tuple[str | zipfile.ZipInfo, bytes], ...], str]] = {
    "up": ((("crate/../../evil", b"x"),), "a path inside the crate"),
    "absolute": ((("/tmp/evil", b"x"),), "a path inside the crate"),
    "backslash": ((("crate\\..\\evil", b"x"),), "a path inside the crate"),
    "drive": ((("C:/evil", b"x"),), "a path inside the crate"),
    "control": ((("crate/a\nb", b"x"),), "a path inside the crate"),
    "link": (((_link("crate/link"), b"/etc/passwd"),), "a link or a device"),
    "twice": ((("crate/A", b"x"), ("crate/a", b"y")), "twice"),
    "two folders": ((("one/a", b"x"), ("two/a", b"y")), "one folder with an RO-Crate"),
    "bomb": ((("crate/zeros", b"\0" * (4 * archive.FREE_BYTES)),), "500 to 1"),
    "deep": ((("/".join(["d"] * 40), b"x"),), "a path inside the crate"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused(name: str, tmp_path: Path) -> None:
    members, words = HOSTILE[name]
    path = _zip(tmp_path / f"{name}.zip", *members)
    into = tmp_path / "inside" / "into"
    into.mkdir(parents=True)
    with pytest.raises(UnreadableFile, match=words):
        archive.unpack(path, into)
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path.parent / "evil").exists()


def test_an_archive_that_lies_about_sizes_is_cut_or_encrypted_is_refused(sound: Path, tmp_path: Path) -> None:
    archive.pack(sound, tmp_path / "crate.eln")
    whole = (tmp_path / "crate.eln").read_bytes()
    for place, length in enumerate((0, 10, len(whole) // 2, len(whole) - 5)):
        (tmp_path / "cut.eln").write_bytes(whole[:length])
        (tmp_path / f"cut{place}").mkdir()
        with pytest.raises(UnreadableFile, match="damaged"):
            archive.unpack(tmp_path / "cut.eln", tmp_path / f"cut{place}")
    lie = bytearray(_zip(tmp_path / "lie.zip", ("crate/x", b"abc" * 100)).read_bytes())
    directory = lie.rindex(b"PK\x01\x02")
    lie[directory + 24 : directory + 28] = (5).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(lie)
    (tmp_path / "lie").mkdir()
    with pytest.raises(UnreadableFile):
        archive.unpack(tmp_path / "lie.zip", tmp_path / "lie")
    locked = bytearray(_zip(tmp_path / "locked.zip", ("crate/x", b"abc")).read_bytes())
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    (tmp_path / "locked").mkdir()
    with pytest.raises(UnreadableFile, match="encrypted"):
        archive.unpack(tmp_path / "locked.zip", tmp_path / "locked")


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(sound: Path, tmp_path: Path) -> None:
    archive.pack(sound, tmp_path / "crate.eln")
    whole = (tmp_path / "crate.eln").read_bytes()
    random = np.random.default_rng(7)
    refused = 0
    with opened.opened(tmp_path / "crate.eln", tmp_path / "scratch") as crate:
        identity, hashes = crate.crate_id, dict(crate.hashes)
    for _ in range(60):
        flipped = bytearray(whole)
        flipped[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        (tmp_path / "crate.eln").write_bytes(flipped)
        try:
            with opened.opened(tmp_path / "crate.eln", tmp_path / "scratch") as crate:
                assert (crate.crate_id, crate.hashes) == (identity, hashes)
        except RutileError:
            refused += 1
    assert refused > 50
    assert not list((tmp_path / "scratch").iterdir())


def _edge(rows: Rows) -> Rows:
    return [*rows, {"child": rows[0]["parent"], "parent": rows[0]["child"], "role": "circle"}]


ROW_FAULTS: dict[str, tuple[str, Callable[[Rows], Rows], str]] = {
    "a path out": ("raw_file", lambda rows: [{**r, "original_path": "../../x"} for r in rows[:1]] + rows[1:], "a path"),
    "no film": ("raw_file", lambda rows: [*rows, {**rows[0], "file_id": 5, "growth_id": "../x"}], "a growth_id"),
    "films of nothing": ("raw_file", lambda rows: [{**r, "growth_id": "x"} for r in rows], "films without entity"),
    "a file of nothing": (
        "raw_file",
        lambda rows: [*rows, {**rows[0], "file_id": 5, "original_path": "a"}],
        "as its record",
    ),
    "a file without bytes": ("raw_file", lambda rows: [{**rows[0], "sha256": "0" * 64}, *rows[1:]], "as its record"),
    "no activity": ("activity", lambda rows: rows[:-1], "a row of activity"),
    "no run": ("run", lambda rows: [{**r, "run_id": 5} for r in rows], "films without run"),
    "other code": ("code", lambda rows: [{**r, "parts": '{"a": "b"}'} for r in rows], "parts with this digest"),
    "a circle": ("edge", _edge, "a circle in the lineage"),
    "a lost parent": ("edge", lambda rows: [{**r, "parent": 7} for r in rows], "an entity of the crate"),
    "no JSON": ("activity", lambda rows: [{**r, "parameters": "[" * 9999} for r in rows], "a JSON object"),
    "a broken rule": ("entity", lambda rows: [{**r, "kind": "spell"} for r in rows], "spell"),
    "an id twice": ("entity", lambda rows: [*rows, rows[0]], "entity_id"),
}


@pytest.fixture(scope="module")
def taken(sound: Path, empty: House) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    with opened.opened(sound, empty.home.scratch) as crate:
        return crate_rows.read_rows(crate, empty.lake.tables), crate.hashes


@pytest.mark.parametrize("name", ROW_FAULTS)
def test_rows_that_do_not_hold_together_are_refused(
    name: str, empty: House, taken: tuple[dict[str, pd.DataFrame], dict[str, str]]
) -> None:
    table, change, words = ROW_FAULTS[name]
    frames, hashes = taken

    def check(found: dict[str, pd.DataFrame]) -> None:
        raw = found["raw_file"]
        kept = crate_rows.restricted(found, raw.growth_id.unique(), across=False)
        crate_rows.check(kept, hashes, crate_rows.places_of(raw))

    check(frames)
    changed = change(crate_rows.records(frames[table]))
    with pytest.raises(RutileError) as caught:
        check({**frames, table: empty.lake.tables[table].frame(changed)})
    assert words in str(caught.value)


def test_a_circle_in_a_crate_signed_again_is_refused(empty: House, crate: Path) -> None:
    changed_rows(crate, "provenance/edge.parquet", _edge)
    assert "a circle in the lineage" in _refused(empty, crate)


def test_unknown_tables_and_columns_and_cut_tables_are_refused(empty: House, crate: Path) -> None:
    def sentence() -> str:
        sign_again(crate)
        with pytest.raises(RutileError) as caught, opened.opened(crate, crate.parent) as whole:
            crate_rows.read_rows(whole, empty.lake.tables)
        return str(caught.value)

    place = crate / "provenance" / "activity.parquet"
    content = place.read_bytes()
    table = parquet.read_table(place)
    parquet.write_table(table.append_column("spell", arrow.nulls(len(table), arrow.string())), place)
    assert "the column 'spell'" in sentence()
    place.write_bytes(content[: len(content) // 2])
    assert "no whole Parquet file" in sentence()
    place.write_bytes(content)
    shutil.copyfile(crate / "provenance" / "run.parquet", crate / "provenance" / "a_spell.parquet")
    metadata = json.loads((crate / METADATA).read_text())
    node = {"@id": "provenance/a_spell.parquet", "@type": "File", "sha256": "", "contentSize": "0"}
    metadata["@graph"].append(node)
    (crate / METADATA).write_text(json.dumps(metadata))
    assert "the table 'a_spell'" in sentence()


def test_text_that_a_small_dictionary_would_blow_up_is_refused(
    empty: House, crate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crate_rows, "MAX_TABLE_BYTES", 10**6)
    changed_rows(crate, "provenance/activity.parquet", lambda rows: [{**rows[0], "parameters": "x" * 10**6}] * 100)
    with opened.opened(crate, crate.parent) as whole, pytest.raises(UnreadableFile, match="bytes of text"):
        crate_rows.read_rows(whole, empty.lake.tables)


def test_an_array_of_other_content_is_refused_though_its_hash_was_made_to_fit(empty: House, crate: Path) -> None:
    folder = next((crate / "arrays").rglob("*.zarr"))
    whole = zarr.open_array(folder, mode="r+")
    whole[...] = np.asarray(whole[...]) + 1.0
    sign_again(crate)
    assert "an array of other content" in _refused(empty, crate)


def test_a_hostile_array_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = arrays.store(tmp_path, "height_nm", np.arange(6.0).reshape(2, 3), {"unit": "nm"})
    source = tmp_path / f"{reference}.zarr"
    values, attributes = arrays.foreign(source, reference)
    assert values.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert attributes == {"unit": "nm"}
    said = json.loads((source / "zarr.json").read_text())
    for change in (
        {"shape": [10**9, 10**9]}, {"shape": [-1, 3]}, {"data_type": "object"},
        {"codecs": [{"name": "numcodecs.pickle"}]}, {"storage_transformers": [{"name": "x"}]}, {"shape": "x"},
        {"node_type": "group"},
    ):  # fmt: skip
        (source / "zarr.json").write_text(json.dumps({**said, **change}))
        with pytest.raises(UnreadableFile, match=reference):
            arrays.foreign(source, reference)


SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>", '<path onload="x()"/>', '<use xlink:href="https://x/y#a"/>', "<foreignObject/>",
        '<image xlink:href="file:///etc/passwd"/>', "<style>@import url(x)</style>", '<a xlink:href="javascript:x"/>',
        '<animate attributeName="href" to="javascript:x"/>', "<path>",
    ],
)  # fmt: skip
def test_a_figure_that_is_more_than_a_drawing_is_refused(inside: str, tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    path.write_text(SVG.format(inside))
    with pytest.raises(UnreadableFile, match=r"pages/x\.svg: found"):
        check_picture(path, "pages/x.svg")
    path.write_text(SVG.format('<g><path d="M0 0"/><use xlink:href="#a"/></g>'))
    check_picture(path, "pages/x.svg")
    path.write_text(f'<!DOCTYPE svg [<!ENTITY a "b">]>{SVG.format("<text>&a;</text>")}')
    with pytest.raises(UnreadableFile):
        check_picture(path, "pages/x.svg")
    (tmp_path / "x.png").write_bytes(b"<html>")
    with pytest.raises(UnreadableFile, match="no PNG"):
        check_picture(tmp_path / "x.png", "pages/x.png")


def test_the_commands_say_one_sentence(crate: Path, tmp_path: Path) -> None:
    (crate / RAW).write_bytes(b"other")
    home = str(tmp_path / "cli")
    answer = CliRunner().invoke(cli.main, ["--home", home, "import", str(crate)])
    assert answer.exit_code == 2
    assert f"{RAW}: found other bytes" in answer.output
    for words, told in (
        (["export", str(tmp_path / "x")], "expected one of --films, --series, --all"),
        (["export", str(tmp_path / "x"), "--all", "--series", "y"], "expected one of"),
        (["export", str(tmp_path / "x"), "--films", "nobody"], "no film 'nobody'"),
        (["export", str(tmp_path / "x"), "--series", "none"], "no series 'none'"),
        (["export", str(tmp_path / "x"), "--all"], "a lake without films"),
        (["export", str(tmp_path / "x"), "--all", "--raw"], "--raw without a DuckDB file"),
        (["import", str(tmp_path / "nothing")], "no file or folder there"),
    ):
        answer = CliRunner().invoke(cli.main, ["--home", home, *words])
        assert answer.exit_code == 2, answer.output
        assert told in answer.output
    assert not (tmp_path / "x").exists()


def test_a_film_that_was_not_computed_is_not_exported(sound: Path, house: House, tmp_path: Path) -> None:
    folder = house.home.inbox / "SIM-F015"
    shutil.copytree(sound / "raw" / "SIM-F015", folder)
    house.ingest([folder], RunContext("cli"))
    with pytest.raises(RutileError, match=r"whether it is simulated cannot be told.*rutile run --films SIM-F015"):
        write_export(house, tmp_path / "x", None, None, "crate")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RutileError, match="something at"):
        write_export(house, tmp_path / "file", None, None, "eln")
