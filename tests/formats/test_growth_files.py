"""Growth logs and RHEED pictures: real ones against MANIFEST.csv, small ones for every rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import small_files as small

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read, recognise
from rutile_assets.formats.measurement import Measurement, Source

# file -> rows, lowest, highest, last time, longest gap, range
REAL = {
    "paradim_Growth_module_#1.IonGauge1.Measured.txt": (1048, 2.18326e-7, 1.28735e-6, 4227.108, 40.329, (1e-13, 0.1)),
    "paradim_BASF_Exactus.Reading.txt": (1397, 249.847, 643.811, 4227.108, 64.42, (250.0, 1250.0)),
    "paradim_O3_Nozzle_IonGauge.Measured.txt": (1277, 2.19133e-7, 1.2905e-6, 4228.941, 24.313, (0.0, 1e-5)),
    "paradim_GM1_subs_Laser.Measured.txt": (2004, 60.5607, 1303.68, 4227.422, 8.219, (-200.0, 2000.0)),
}


def _read(folder: Path, name: str, content: bytes, declared: Mapping[str, object] | None = None) -> Measurement:
    path = folder / "stored"
    path.write_bytes(content)
    return read(Source(path, name, declared or {}))


@pytest.mark.parametrize("name", REAL)
def test_real_logs_have_the_rows_ranges_and_gaps_of_the_manifest(realdata: Path, name: str) -> None:
    rows, lowest, highest, last, gap, limits = REAL[name]
    measurement = read(Source.of(realdata / "mbe_logs" / name))
    (scan,) = measurement.scans
    time, values = scan.columns["log_time_s"], scan.columns["reading"]
    assert scan.points == rows
    assert (values.min(), values.max()) == (pytest.approx(lowest, rel=1e-12), pytest.approx(highest, rel=1e-12))
    assert (time[0], time[-1], np.diff(time).max()) == (0.0, last, pytest.approx(gap, abs=5e-4))
    assert (scan.settings["range_low"], scan.settings["range_high"]) == limits
    assert scan.settings["unit"] is None
    assert scan.settings["channel"] == name.removesuffix(".txt")
    assert "No unit is said" in measurement.notes[0]


def test_the_real_picture_has_the_counts_of_the_manifest(realdata: Path) -> None:
    measurement = read(Source.of(realdata / "rheed" / "paradim_Image107.img"))
    (channel,) = measurement.channels
    assert channel.values.shape == (480, 640)
    assert (channel.values.min(), channel.values.max()) == (121, 4096)
    assert channel.values.mean() == pytest.approx(777.987, abs=5e-4)
    assert (measurement.technique, measurement.settings["image_number"]) == ("rheed", 107)


def test_a_sidecar_gives_unit_role_and_start(tmp_path: Path) -> None:
    declared = {"unit": "C", "role": "pyrometer", "started_at": "2025-03-03T09:30:00"}
    measurement = _read(tmp_path, "growth_log/a.txt", small.growth_log_one(), declared)
    said = measurement.scans[0].settings
    assert (said["channel"], said["unit"], said["role"]) == ("a", "C", "pyrometer")
    assert measurement.acquired_at is not None
    by_name = _read(tmp_path, "a.txt", small.growth_log_one(), {"channels": {"a": {"unit": "K"}}})
    assert by_name.scans[0].settings["unit"] == "K"


def test_a_table_has_a_channel_for_each_column_and_leaves_out_what_was_not_logged(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "log.csv", small.growth_log_table())
    pyro, gauge, shutter = measurement.scans
    np.testing.assert_array_equal(pyro.columns["log_time_s"], [0, 60])
    assert (pyro.settings["unit"], pyro.settings["range_low"]) == ("C", 250.0)
    assert gauge.settings["unit"] == "mbar"
    np.testing.assert_array_equal(shutter.columns["reading"], [0, 1, 0])
    assert measurement.technique == "growth_log"


def test_clock_times_and_decimal_commas(tmp_path: Path) -> None:
    text = b"Time;Pyro [C]\n2025-03-03 09:30:00;300,5\n2025-03-03 09:30:02.5;301,0\n"
    measurement = _read(tmp_path, "a.csv", text)
    np.testing.assert_array_equal(measurement.scans[0].columns["log_time_s"], [0, 2.5])
    np.testing.assert_array_equal(measurement.scans[0].columns["reading"], [300.5, 301.0])
    assert measurement.acquired_at is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Elapsed time [s]\tValue [0,1]\r\n0\t1\r\n1\t", "line end"),
        ("Elapsed time [s]\tValue [0,1]\r\n0\t1\r\n1\r\n", "columns"),
        ("Elapsed time [s]\tValue [0,1]\r\n5\t1\r\n1\t1\r\n", "runs back"),
        ("Elapsed time [s]\tValue [0,1]\r\n0\t1e999\r\n", "among the readings"),
        ("Elapsed time [s]\tValue [0,1]\r\n0\tnan\r\n", "no readings"),
        ("Elapsed time [s]\tValue [0,1]\r\n", "lines"),
        ("Time [weeks],Pyro [C]\n1,2\n", "a time in"),
        ("Time [s],Pyro [C],Pyro [C]\n1,2,3\n", "own name"),
        ("Time,Pyro [C]\nyesterday,2\n", "the time"),
    ],
)
def test_logs_that_break_their_promises_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        _read(tmp_path, "a.txt", text.encode())


def test_a_movie_is_frames_one_after_the_other_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    movie = _read(tmp_path, "a.imm", small.ksa(frames=3))
    assert [c.values[0, 0] for c in movie.channels] == [0, 1, 2]
    for bad in (small.ksa(3)[:-1], small.ksa(1)[:100], small.ksa(1) + small.ksa(1, 3, 4)):
        with pytest.raises(UnreadableFile):
            _read(tmp_path, "a.imm", bad)
    huge = bytearray(small.ksa())
    huge[49:51] = huge[321:323] = b"\xff\xff"
    with pytest.raises(UnreadableFile, match="65535"):
        _read(tmp_path, "a.img", bytes(huge))


def test_transport_text_with_a_time_stays_transport(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"Time (s)\tTemperature (K)\tField (Oe)\tResistance (Ohm)\n1\t300\t0\t5\n")
    assert recognise(Source(path, "t.txt")).name == "source-meter-text"
