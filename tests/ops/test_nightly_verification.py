"""The nightly verification as Dagster runs it: drawn by the date, recorded, and failed by a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from light_home import light_home

from rutile_assets.ops.automation import build_definitions
from rutile_assets.ops.catalog import HouseResource
from rutile_assets.ops.house import open_house
from rutile_assets.ops.nightly import nightly_verification, verification_job
from rutile_assets.rooms import ROOMS


def test_the_draw_follows_the_date_and_dagster_serves_the_schedule() -> None:
    seeds = []
    for day in (25, 25, 26):
        when = datetime(2026, 11, day, 4, tzinfo=UTC)
        asked = nightly_verification(dg.build_schedule_context(scheduled_execution_time=when))
        assert isinstance(asked, dg.RunRequest)
        seeds.append(asked.run_config["ops"]["verify_films"]["config"]["seed"])
    assert seeds[0] == seeds[1] != seeds[2]
    served = build_definitions(ROOMS)
    assert verification_job in (served.jobs or [])
    assert nightly_verification in (served.schedules or [])
    assert nightly_verification.default_status == dg.DefaultScheduleStatus.RUNNING


@pytest.mark.slow
def test_the_job_verifies_and_a_difference_fails_it_with_a_sentence(tmp_path: Path) -> None:
    light_home(tmp_path / "home").lake.close()
    resources = {"house": HouseResource(home=str(tmp_path / "home"))}
    made = verification_job.execute_in_process(resources=resources)
    assert made.success
    house = open_house(tmp_path / "home")
    assert {row["verdict"] for row in house.lake.rows("FROM verified")} == {"identical"}
    assert "verify.html" in (house.home.reports / "index.html").read_text()
    assert "verified 20" in next(house.home.reports.glob("films/*/index.html")).read_text()
    with house.lake.write() as writer:
        writer.cursor.execute("UPDATE lake.result SET value = value + 1 WHERE quantity = 'roughness_sq_pm'")
    failed = verification_job.execute_in_process(resources=resources, raise_on_error=False)
    assert not failed.success
    (event,) = (event for event in failed.all_events if event.is_step_failure)
    data = event.step_failure_data.user_failure_data
    assert data is not None
    assert "roughness_sq_pm differs" in (data.description or "")
    house.lake.close()
