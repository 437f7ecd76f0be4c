"""The HAADF room from dropped files to rows: a simulated Velox series, files of one series, faults in a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_images
import yaml
from growths import drop_growth

from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import Materialized, materialize
from rutile_assets.simulation.haadf import HaadfSetup, simulate_haadf
from rutile_assets.simulation.microscope import HAADF
from rutile_assets.simulation.writers import velox
from rutile_assets.simulation.writers.scan import Header
from rutile_assets.techniques.growth.assets import ROOM as GROWTH_ROOM
from rutile_assets.techniques.haadf.assets import ROOM

GROWTH = "MBE-1"
SMALL = replace(HAADF, planes=(12, 8, 12), pixels=128, rotations_deg=(0.0, 90.0, 180.0))
CRYSTAL = HaadfSetup(planes=(1, 0, 1), pixels=96, pixel_nm=0.032, rotations_deg=(0.0, 90.0))


def _run(house: House, folder: Path) -> tuple[dict[str, str], Materialized]:
    told = {v.path.name: v.sentence for v in house.ingest([folder], RunContext("cli"))}
    for asset in GROWTH_ROOM.assets:
        materialize(house.lake, house.home, asset, GROWTH, RunContext("cli"))
    return told, materialize(house.lake, house.home, ROOM.assets[0], GROWTH, RunContext("cli"))


def _rows(made: Materialized, table: str) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in made.frames[table].to_dict("records")]


def test_a_velox_series_becomes_an_image_with_the_substrates_scale(house: House) -> None:
    folder = drop_growth(house.home.inbox, GROWTH)
    here = folder / "haadf"
    here.mkdir()
    content = velox.write(
        simulate_haadf(SMALL, np.random.default_rng(0)).frames,
        Header(GROWTH, "simulation", "simulated", datetime(2025, 3, 3)),
        pixel_nm=SMALL.header_pixel_nm,
        rotations_deg=SMALL.rotations_deg,
        dwell_ms=SMALL.dwell_ms,
        line_ms=SMALL.line_ms,
        frame_s=1.0,
    )
    (here / "film.emd").write_bytes(content)
    (here / "film.emd.yaml").write_text(yaml.safe_dump({"normal_angle_deg": 90}))
    _, made = _run(house, folder)
    (row,) = _rows(made, "haadf")
    assert row["scan_frames_count"] == 3
    assert row["pixel_nm_source"] == "substrate"
    assert row["pixel_nm"] == pytest.approx(SMALL.pixel_nm, rel=2e-3)
    assert row["given_pixel_nm"] == pytest.approx(SMALL.header_pixel_nm)
    assert row["normal_angle_deg"] == 90.0
    frames = _rows(made, "haadf_frame")
    assert [f["frame_rotation_deg"] for f in frames] == pytest.approx([0.0, 90.0, 180.0])
    assert all(f["drift_row_pm_std"] > 0 for f in frames)


def test_files_of_one_series_are_frames_of_one_image(house: House) -> None:
    folder = drop_growth(house.home.inbox, GROWTH)
    here = folder / "haadf"
    here.mkdir()
    frames = simulate_haadf(CRYSTAL, np.random.default_rng(1)).frames
    (here / "settings.yaml").write_text(yaml.safe_dump({"series": "A"}))
    for number, (frame, angle) in enumerate(zip(frames, CRYSTAL.rotations_deg, strict=True)):
        name = f"scan_{number}.ser"
        (here / name).write_bytes(small_images.ser([frame.astype("<u2")], step_m=1e-9 * CRYSTAL.pixel_nm))
        (here / f"{name}.yaml").write_text(yaml.safe_dump({"scan_rotation_deg": angle}))
    _, made = _run(house, folder)
    (row,) = _rows(made, "haadf")
    assert (row["image_series"], row["scan_frames_count"], row["pixel_nm_source"]) == ("A", 2, "substrate")
    assert abs(row["scale_error_percent"]) < max(4.0 * row["scale_error_percent_std"], 0.05)
    assert "normal_angle_deg in the sidecar" in row["notes"]


def test_images_of_no_use_are_refused_with_the_reason_and_the_others_go_on(house: House) -> None:
    folder = drop_growth(house.home.inbox, GROWTH)
    here = folder / "haadf"
    here.mkdir()
    rng = np.random.default_rng(2)
    blank = rng.normal(9995, 2, (96, 96)).astype("<u2")
    frame = simulate_haadf(replace(CRYSTAL, rotations_deg=(0.0,)), rng).frames[0].astype("<u2")
    (here / "blank.ser").write_bytes(small_images.ser([blank]))
    (here / "small.dm3").write_bytes(small_images.dm(3))
    (here / "no_scale.tif").write_bytes(small_images.tif([frame], description=""))
    (here / "one.dm4").write_bytes(small_images.dm(4, frame, scale=CRYSTAL.pixel_nm))
    told, made = _run(house, folder)
    assert "a blank field" in told["blank.ser"]
    assert "3 x 4 pixels" in told["small.dm3"]
    (row,) = _rows(made, "haadf")
    assert (row["image_series"], row["scan_frames_count"]) == ("one", 1)
    assert np.isnan(row["line_residual_pm"])
    refused = house.lake.rows("SELECT path, found FROM lake.rejected_file WHERE path LIKE '%no_scale%'")
    assert [r["found"] for r in refused] == ["images without a scale"]
