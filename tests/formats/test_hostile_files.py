"""Bytes that lie: cut, mutated, random, and made to exhaust the machine."""

from __future__ import annotations

import bz2
import contextlib
import io
import re
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import small_files as small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_spectra import SPECTRA, VAMAS_1988

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import FORMATS, read, recognise
from rutile_assets.formats.measurement import Format, Source

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SECONDS = 5.0
MEMORY_BYTES = 200 * 1024**2


@pytest.fixture
def bounded() -> Iterator[None]:
    """Fail when a test takes more time or memory than a bomb may cost."""
    started = time.process_time()
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - started < SECONDS
    assert peak < MEMORY_BYTES


def _refused(folder: Path, name: str, content: bytes) -> str:
    path = folder / "hostile"
    path.write_bytes(content)
    source = Source(path, name)
    with pytest.raises(UnreadableFile) as refusal:
        recognise(source).read(source)
    assert refusal.value.found
    assert refusal.value.what_to_do
    return str(refusal.value)


def _verdict(folder: Path, name: str, content: bytes) -> None:
    path = folder / "fuzzed"
    path.write_bytes(content)
    source = Source(path, name)
    with contextlib.suppress(UnreadableFile):
        recognise(source).read(source)  # without the net that `read` spans below the readers


@pytest.mark.parametrize("name", small.SMALL)
def test_every_cut_of_a_small_file_is_refused_or_reads_the_same(tmp_path: Path, name: str) -> None:
    content = small.SMALL[name]
    path = tmp_path / "cut"
    path.write_bytes(content)
    whole = read(Source(path, name))
    step = max(1, len(content) // (60 if name in SPECTRA else 300))
    for size in sorted({*range(0, len(content), step), *range(max(0, len(content) - 40), len(content))}):
        path.write_bytes(content[:size])
        try:
            cut = read(Source(path, name))
        except UnreadableFile:
            continue
        same = all(
            a.points == b.points and all((a.columns[c] == b.columns[c]).all() for c in a.columns if c in b.columns)
            for a, b in zip(whole.scans, cut.scans, strict=False)
        )
        images = len(whole.channels) == len(cut.channels) and all(
            np.array_equal(a.values, b.values, equal_nan=True)
            for a, b in zip(whole.channels, cut.channels, strict=True)
        )
        ends_a_line = content[:size].endswith((b"\n", b"\r", b"\t"))
        assert (same and images and len(cut.scans) == len(whole.scans)) or (name in LINE_BY_LINE and ends_a_line), (
            name,
            size,
        )


# text without end mark and without a promised number of rows: a cut at a line end cannot be known
LINE_BY_LINE = ("r.dat", "e.dat", "s.txt", "a.xy", "Gauge.Measured.txt", "log.csv", "casa.txt", "be.csv")


@FUZZ
@given(data=st.data(), name=st.sampled_from(sorted(small.SMALL)))
def test_mutated_files_get_a_verdict(tmp_path: Path, data: st.DataObject, name: str) -> None:
    content = bytearray(small.SMALL[name])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "insert", "delete", "repeat"]))
        if kind == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        elif kind == "delete":
            del content[at : at + data.draw(st.integers(1, 64))]
        else:
            content[at:at] = content[at : at + data.draw(st.integers(1, 64))]
        if not content:
            break
    _verdict(tmp_path, name, bytes(content))


HOSTILE_WORDS = [b"", b"nan", b"-1", b"1e308", b"1000000000000", b"1E+37", b"0", b"x", b"\xff\xfe", b"3.5", b"\x00"]


@FUZZ
@given(data=st.data(), name=st.sampled_from(sorted(SPECTRA)))
def test_spectra_with_hostile_words_get_a_verdict(tmp_path: Path, data: st.DataObject, name: str) -> None:
    """Any word of any line says something else: counts, axes and lists that contradict the rest."""
    words = re.split(rb"([\s=<>,:]+)", SPECTRA[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = 2 * data.draw(st.integers(0, (len(words) - 1) // 2))
        words[at] = data.draw(st.sampled_from(HOSTILE_WORDS))
    _verdict(tmp_path, name, b"".join(words))


@FUZZ
@given(content=st.binary(max_size=600), name=st.sampled_from([*small.SMALL, "x", "x.zip"]))
def test_random_bytes_get_a_verdict(tmp_path: Path, content: bytes, name: str) -> None:
    _verdict(tmp_path, name, content)


@FUZZ
@given(content=st.binary(max_size=600), known=st.sampled_from(FORMATS))
def test_every_reader_refuses_random_bytes_behind_its_own_mark(tmp_path: Path, content: bytes, known: Format) -> None:
    path = tmp_path / "random"
    path.write_bytes(MARKS[known.name] + content)
    with contextlib.suppress(UnreadableFile):
        known.read(Source(path, "x"))


# name of the format -> what a file of it begins with
MARKS = {
    "rigaku-rasx": b"PK\x03\x04",
    "rigaku-ras": b"*RAS_DATA_START\n",
    "rigaku-asc": b"*TYPE = Raw\n*CLASS = ASCII CLASS\n",
    "panalytical-xrdml": b"<xrdMeasurements",
    "nanoscope": b"\\*File list\n",
    "igor-ibw": b"\x05\x00",
    "gwyddion": b"GWYP",
    "multivu": b"[Header]\n[Data]\n",
    "vamas": VAMAS_1988.encode() + b"\n",
    "specs-xy": b"# Created by: SpecsLab2\n# XY-Serializer Export Settings:\n# Region: a\n",
    "specs-xml": b"<!-- CORBA XML document created by XMLSerializer2 1.6 --><any>",
    "scienta-txt": b"[Info]\nNumber of Regions=1\n",
    "merlin-mib": b"MQ1,",
    "blockfile": b"IMGBLO",
    "emd": b"\x89HDF\r\n\x1a\n",
    "npy": b"\x93NUMPY",
    "gatan-dm": b"\0\0\0\3\0\0\0\x40\0\0\0\1\1\0",
    "tia-ser": b"II\x97\x01\x20\2\x22\x41\0\0",
    "tiff": b"II*\0\x08\0\0\0",
    "empad": b"",
    "shg-text": b"angle (deg)\tcounts\n",
    "casa-text": b"Cycle 1:a:b\n\tCharacteristic Energy eV\t21\nK.E.\tCounts\n",
    "source-meter-text": b"Temperature (K)\tSense (V)\n",
    "spectrum-text": b"Binding Energy\tCounts\n",
    "xy-text": b"",
    "markdown-note": b"",
    "growth-log-text": b"Elapsed time [s]\tValue [0,1]\r\n",
    "ksa-img": b"\0" * 39 + b"KSA00F\0\0\0\0\0\4",
}


@FUZZ
@given(text=st.text(alphabet="0123456789.,;\t \n\r+-eE#*[]aT", max_size=200))
def test_random_numbers_get_a_verdict(tmp_path: Path, text: str) -> None:
    for name in ("a.xy", "s.txt"):
        _verdict(tmp_path, name, text.encode())
    for mark in MARKS.values():
        _verdict(tmp_path, "x", mark + text.encode())


@FUZZ
@given(position=st.integers(64, 450), value=st.integers(-(2**31), 2**31 - 1))
def test_igor_headers_with_any_number_anywhere_get_a_verdict(tmp_path: Path, position: int, value: int) -> None:
    content = bytearray(small.ibw())
    content[position : position + 4] = struct.pack("<i", value)
    _verdict(tmp_path, "a.ibw", bytes(content))


def test_marks_belong_to_their_formats() -> None:
    assert set(MARKS) == {known.name for known in FORMATS}
    strays = [f.name for f in FORMATS if not f.recognises(MARKS[f.name] + b" Data0/", "a.ibw")]
    assert set(strays) <= {
        "multivu",
        "source-meter-text",
        "spectrum-text",
        "xy-text",
        "empad",
        "ksa-img",
        "shg-text",
        "growth-log-text",
        "markdown-note",
    }


@pytest.mark.usefixtures("bounded")
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("root.xml", "<Root/>")
        with archive.open("Data0/Profile0.txt", "w", force_zip64=True) as handle:
            for _ in range(64):
                handle.write(b"0" * 1024**2)
    assert "unpacks to" in _refused(tmp_path, "bomb.rasx", sink.getvalue())


@pytest.mark.usefixtures("bounded")
def test_a_zip_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    content = small.rasx([[(1.0 + i * 0.001, 1000.0, 1.0) for i in range(2000)]])
    directory = content.rindex(b"PK\x01\x02Data0" if b"PK\x01\x02Data0" in content else b"PK\x01\x02")
    first = content.index(b"PK\x01\x02")
    assert first <= directory
    lied = bytearray(content)
    lied[first + 24 : first + 28] = struct.pack("<I", 7)
    _refused(tmp_path, "lie.rasx", bytes(lied))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    extra = {f"Data0/x{i}": b"" for i in range(20_001)}
    assert "members" in _refused(tmp_path, "many.rasx", small.rasx(extra=extra))


def test_member_names_are_labels_and_reach_no_path(tmp_path: Path) -> None:
    extra = {"../../escaped.txt": b"x", "/tmp/rutile-escaped.txt": b"x", "Data0/../../e.txt": b"x", "C:\\e.txt": b"x"}
    path = tmp_path / "in" / "deep" / "a.rasx"
    path.parent.mkdir(parents=True)
    path.write_bytes(small.rasx(extra=extra))
    assert read(Source.of(path)).scans[0].points == 4
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.rasx"]
    assert not Path("/tmp/rutile-escaped.txt").exists()


def test_a_zip_in_a_zip_is_not_followed(tmp_path: Path) -> None:
    inner = small.rasx()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("Data0/inner.rasx", inner)
    assert "without root.xml" in _refused(tmp_path, "nested.rasx", sink.getvalue())


@pytest.mark.usefixtures("bounded")
def test_a_bz2_bomb_is_not_unpacked(tmp_path: Path) -> None:
    packer = bz2.BZ2Compressor()
    chunks = [packer.compress(b"<xrdMeasurements>" if i == 0 else b" " * 1024**2) for i in range(65)]
    content = b"".join([*chunks, packer.flush()])
    assert len(content) < 10_000
    assert "unpacks to more" in _refused(tmp_path, "bomb.xrdml.bz2", content)


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 20))


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    "document_type",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE x [<!ENTITY l19 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_xml_entities_are_refused(tmp_path: Path, document_type: str) -> None:
    content = small.xrdml().decode().replace("?><xrd", f"?>{document_type}<xrd").replace("<id>s<", "<id>&l19;<")
    assert "document type or entities" in _refused(tmp_path, "laughs.xrdml", content.encode())


@pytest.mark.usefixtures("bounded")
def test_xml_nested_without_end_is_refused(tmp_path: Path) -> None:
    content = b"<xrdMeasurements>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</xrdMeasurements>"
    assert "nested" in _refused(tmp_path, "deep.xrdml", content)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Samps/line: 4", "Samps/line: 400000000"),
        ("Number of lines: 3", "Number of lines: 99999999999999999999"),
        ("Number of lines: 3", "Number of lines: 0"),
        ("Data length: 48", "Data length: 480000000000"),
        ("Data offset: 8192", "Data offset: 9999999999"),
        ("Data offset: 8192", "Data offset: -5"),
        ("Bytes/pixel: 4", "Bytes/pixel: 8"),
        ("Bytes/pixel: 4", "Bytes/pixel: 1e9"),
        ("65.536 V", "1e999 V"),
        ("Scan Size: 1 1 ~m", "Scan Size: 0 0 ~m"),
        ("Scan Size: 1 1 ~m", "Scan Size: 1 1 V"),
        ("10.00000 nm/V", "10.00000 nm/A"),
        ('"Height Sensor"', '""'),
    ],
)
def test_nanoscope_headers_that_claim_nonsense_are_refused(tmp_path: Path, old: str, new: str) -> None:
    _refused(tmp_path, "a.spm", small.nanoscope(changes={old: new}))


@pytest.mark.usefixtures("bounded")
def test_igor_sizes_beyond_the_file_are_refused(tmp_path: Path) -> None:
    content = bytearray(small.ibw())
    for at, value in ((4, 2**31 - 1), (4, -1), (12, 2**30), (40, 2**30), (132, 2**30), (140, 2**30)):
        lied = bytearray(content)
        lied[at : at + 4] = struct.pack("<i", value)
        _refused(tmp_path, "a.ibw", bytes(lied))


def test_igor_bytes_behind_the_wave_must_end_with_asylums_mark(tmp_path: Path) -> None:
    assert "end mark" in _refused(tmp_path, "a.ibw", small.ibw(footer=b"half a foot"))
    path = tmp_path / "whole"
    path.write_bytes(small.ibw(footer=b""))
    assert len(read(Source(path, "a.ibw")).channels) == 2


@pytest.mark.usefixtures("bounded")
def test_gwyddion_lists_and_nests_without_end_are_refused(tmp_path: Path) -> None:
    endless = b"GWYP" + small.gwy_object("GwyContainer", small.gwy_component("l", "S", struct.pack("<I", 2**32 - 1)))
    _refused(tmp_path, "a.gwy", endless)
    huge = b"GWYP" + small.gwy_object("GwyContainer", small.gwy_component("d", "D", struct.pack("<I", 2**32 - 1)))
    _refused(tmp_path, "a.gwy", huge)
    nest = small.gwy_object("GwyContainer")
    for _ in range(5000):
        nest = small.gwy_object("GwyContainer", small.gwy_component("o", "o", nest))
    assert "nested" in _refused(tmp_path, "a.gwy", b"GWYP" + nest)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.seq", b"TMP TEMP 2.000000 20.000000 0\nWAI WAITFOR 60 1 0 0 0 0\n", "MultiVu sequence"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "HDF5"),
        ("a.zip", b"PK\x03\x04" + b"\0" * 64, "ZIP archive"),
        ("a.tif", b"II*\x00" + b"\0" * 64, "TIFF"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "picture"),
        ("a.gz", b"\x1f\x8b\x08" + b"\0" * 64, "gzip"),
        ("vasprun.xml", b'<?xml version="1.0"?>\n<modeling>\n', "VASP"),
        ("OUTCAR", b" vasp.5.4.4.18Apr17 (build)\n", "VASP"),
        ("a.xml", b'<?xml version="1.0"?>\n<other/>\n', "XML of another program"),
        ("a.001", b"\\*Force file list\r\n\\Version: 0x09\r\n", "force curves"),
        ("notes.txt", b"Dear diary,\nnothing grew today.\n", "text that is no scan"),
        ("a.bin", bytes(range(1, 60)), "bytes that begin with"),
        ("empty", b"", "empty file"),
    ],
)
def test_known_strangers_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, name, content)


@pytest.mark.parametrize(
    ("rows", "count"),
    [(("0.5 400 1",), 2), (("0.5 400 1", "0.6 100"), None), (("0.5 400 0.5",), None), (("0.5 -4 1",), None)],
)
def test_ras_that_breaks_its_promises_is_refused(tmp_path: Path, rows: tuple[str, ...], count: int | None) -> None:
    _refused(tmp_path, "a.ras", small.ras(rows, count))


@pytest.mark.parametrize(
    ("values", "factors"),
    [("1 2 3", "1 1 1 1"), ("1 2 3 4", "0.5 1 1 1"), ("1 2 3 x", None), ("", None), ("1 2 3 -4", None)],
)
def test_xrdml_that_contradicts_itself_is_refused(tmp_path: Path, values: str, factors: str | None) -> None:
    _refused(tmp_path, "a.xrdml", small.xrdml(values, factors))
