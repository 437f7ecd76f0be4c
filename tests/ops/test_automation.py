"""What runs by itself: sensors looked at by hand, the runs they ask for executed here, on a home of small films."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from growths import drop_growth

from rutile_assets.errors import InvalidRecord
from rutile_assets.ops import alive, attempts, automation, batches, inbox_watch
from rutile_assets.ops.alerts import alert, alert_channels
from rutile_assets.ops.automation import build_definitions, inbox_sensor, stale_sensor
from rutile_assets.ops.catalog import FILM_PAGE, FILMS, INDEX_PAGE, HouseResource
from rutile_assets.ops.house import House
from rutile_assets.ops.runner import prepare_dagster
from rutile_assets.rooms import ROOMS, all_assets

DEFINITIONS = build_definitions(ROOMS)
GROWTH = [asset for asset in ROOMS[0].assets if not asset.spans_films]


@cache
def _job(name: str) -> dg.JobDefinition:
    return DEFINITIONS.resolve_job_def(name)


class Daemon:
    """Looks at the sensors as Dagster's daemon does, and runs what they ask for at once."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.instance = prepare_dagster(house)
        self.definitions = DEFINITIONS
        self.cursors: dict[str, str | None] = {}
        self.said = ""

    def look(self, sensor: Any) -> list[dg.RunRequest]:
        """Return what the sensor asks for now."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            definitions=self.definitions,
            resources={"house": HouseResource(home=str(self.house.home.root))},
        )
        result = sensor(context)
        if isinstance(result, dg.SkipReason):
            self.said = str(result.skip_message)
            return []
        self.cursors[sensor.name] = result.cursor
        self.said = str(result.skip_reason.skip_message if result.skip_reason else "")
        for request in result.dynamic_partitions_requests:
            self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        return list(result.run_requests or [])

    def run(self, request: dg.RunRequest) -> bool:
        """Run it; tell whether it succeeded."""
        return (
            _job(request.job_name or "")
            .execute_in_process(
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                instance=self.instance,
                partition_key=request.partition_key,
                tags=dict(request.tags),
                asset_selection=request.asset_selection,
                raise_on_error=False,
            )
            .success
        )

    def settle(self) -> list[tuple[str, str | None, frozenset[str]]]:
        """Look and run until nothing is asked for; return job, film and assets of each run."""
        done = []
        for _ in range(10):
            requests = self.look(inbox_sensor) or self.look(stale_sensor)
            if not requests:
                return done
            for request in requests:
                self.run(request)
                names = frozenset(key.to_user_string() for key in request.asset_selection or ())
                done.append((request.job_name or "", request.partition_key, names))
        raise AssertionError(f"does not settle: {done}")


@pytest.fixture
def daemon(house: House, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    for name in ("DAGSTER_HOME", "RUTILE_HOME"):
        monkeypatch.setenv(name, "")  # put back afterwards
    monkeypatch.setattr(inbox_watch, "QUIET_S", 0.0)
    monkeypatch.setattr(automation, "_sources", lambda: automation._LOADED)
    monkeypatch.setattr(automation, "all_assets", lambda: GROWTH)  # the others have nothing to do here, save one test
    return Daemon(house)


def _ids(house: House) -> dict[tuple[str | None, str], int]:
    rows = house.lake.rows(
        "SELECT growth_id, asset, max(entity_id) AS id FROM lake.entity WHERE kind = 'asset' GROUP BY ALL"
    )
    return {(row["growth_id"], row["asset"]): row["id"] for row in rows}


def test_a_new_film_is_read_computed_and_shown_once(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "all_assets", all_assets)
    drop_growth(daemon.house.home.inbox, "MBE-1")
    done = daemon.settle()
    assert [(job, film) for job, film, _ in done][:2] == [("ingest", "MBE-1"), ("film", "MBE-1")]
    assert done[1][2] >= {"growth", FILM_PAGE}
    assert all(job == "across_films" and INDEX_PAGE in names for job, _, names in done[2:])
    assert len(done) <= 3
    assert (daemon.house.home.reports / "films" / "MBE-1" / "index.html").is_file()
    assert "MBE-1" in (daemon.house.home.reports / "index.html").read_text()
    assert daemon.settle() == []
    counts = daemon.house.lake.rows(
        "SELECT count(*) AS n FROM lake.entity WHERE kind = 'asset' GROUP BY growth_id, asset"
    )
    assert {row["n"] for row in counts} == {1}


def test_a_daemon_that_starts_over_a_full_home_asks_for_nothing_that_is_up_to_date(daemon: Daemon) -> None:
    folder = drop_growth(daemon.house.home.inbox, "MBE-1")
    (folder / "junk.bin").write_bytes(b"junk")
    daemon.settle()
    daemon.cursors.clear()
    assert daemon.settle() == []


def test_only_what_is_stale_is_asked_for(daemon: Daemon) -> None:
    for film in ("MBE-1", "MBE-2"):
        drop_growth(daemon.house.home.inbox, film)
    daemon.settle()
    before = _ids(daemon.house)
    drop_growth(daemon.house.home.inbox, "MBE-2", thickness=5.0)
    done = daemon.settle()
    assert [(job, film) for job, film, _ in done][:2] == [("ingest", "MBE-2"), ("film", "MBE-2")]
    changed = {key for key, made in _ids(daemon.house).items() if before.get(key) != made}
    assert ("MBE-2", "growth") in changed
    assert not any(film == "MBE-1" for film, _ in changed)


def test_a_file_that_came_with_its_old_time_is_seen(daemon: Daemon) -> None:
    folder = drop_growth(daemon.house.home.inbox, "MBE-1")
    daemon.settle()
    (folder / "late.bin").write_bytes(b"old")
    os.utime(folder / "late.bin", (1e9, 1e9))
    assert [(job, film) for job, film, _ in daemon.settle()] == [("ingest", "MBE-1")]
    assert [row["path"] for row in daemon.house.lake.rows("SELECT path FROM rejected_files")] == ["late.bin"]


def test_a_folder_that_is_being_written_waits(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_watch, "QUIET_S", 3600.0)
    drop_growth(daemon.house.home.inbox, "MBE-1")
    assert daemon.look(inbox_sensor) == []
    monkeypatch.setattr(inbox_watch, "QUIET_S", 0.0)
    assert [r.partition_key for r in daemon.look(inbox_sensor)] == ["MBE-1"]


def test_strangers_in_the_inbox_are_refused_and_run_nothing(daemon: Daemon) -> None:
    inbox = daemon.house.home.inbox
    (inbox / "nobody").mkdir()
    for path in (inbox / "nobody" / "a.dat", inbox / "b.dat"):
        path.write_text("1 2\n")
    assert daemon.settle() == []
    question = "SELECT count(*) AS n FROM lake.rejected_file"
    assert daemon.house.lake.rows(question)[0]["n"] == 2
    (inbox / "nobody" / "a.dat").write_text("1 2 3\n")
    assert daemon.settle() == []
    assert daemon.house.lake.rows(question)[0]["n"] == 3


def test_a_growth_yaml_that_is_refused_is_tried_once_until_it_changes(daemon: Daemon) -> None:
    folder = daemon.house.home.inbox / "MBE-1"
    folder.mkdir()
    (folder / "growth.yaml").write_text("growth_id: [")
    assert [(job, film) for job, film, _ in daemon.settle()] == [("ingest", "MBE-1")]
    assert daemon.settle() == []
    drop_growth(daemon.house.home.inbox, "MBE-1")
    assert [(job, film) for job, film, _ in daemon.settle()][:2] == [("ingest", "MBE-1"), ("film", "MBE-1")]


def _fail(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> list[Any]:
    """Let the asset `growth` fail, and return what was run."""

    def raising(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("rutile_assets.ops.catalog.materialize", raising)
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0.0)
    return daemon.settle()


def test_what_an_asset_refuses_is_not_asked_for_again_until_its_inputs_change(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_growth(daemon.house.home.inbox, "MBE-1")
    with monkeypatch.context() as failing:
        done = _fail(daemon, failing, InvalidRecord("a riddle", "an answer", "Ask."))
    assert [job for job, _, _ in done] == ["ingest", "film"]
    assert daemon.settle() == []
    assert "cannot be computed from these files: growth" in daemon.said
    drop_growth(daemon.house.home.inbox, "MBE-1", thickness=5.0)
    assert [job for job, _, _ in daemon.settle()][:2] == ["ingest", "film"]


def test_what_fails_is_asked_for_later_and_later_and_at_last_given_up(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_growth(daemon.house.home.inbox, "MBE-1")
    clock = {"now": time.time()}
    monkeypatch.setattr(automation.time, "time", lambda: clock["now"])
    with monkeypatch.context() as failing:
        assert [job for job, _, _ in _fail(daemon, failing, OSError("disk"))] == ["ingest", "film"]
        for wait in attempts.RETRY_AFTER_S:
            assert daemon.settle() == []
            assert "to be tried again in" in daemon.said
            clock["now"] += wait + 60
            assert [job for job, _, _ in daemon.settle()] == ["film"]
        clock["now"] += 1e6
        assert daemon.settle() == []
        assert "failed 3 times" in daemon.said
    drop_growth(daemon.house.home.inbox, "MBE-1", thickness=5.0)
    assert [job for job, _, _ in daemon.settle()][:2] == ["ingest", "film"]


def test_what_a_run_has_in_hand_is_not_asked_for(daemon: Daemon) -> None:
    for film in ("MBE-1", "MBE-2"):
        drop_growth(daemon.house.home.inbox, film)
    for request in daemon.look(inbox_sensor):
        daemon.run(request)
    daemon.instance.create_run_for_job(
        _job("film"),
        tags={"dagster/partition": "MBE-1"},
        status=DagsterRunStatus.STARTED,
    )
    assert [r.partition_key for r in daemon.look(stale_sensor)] == ["MBE-2"]


def test_a_run_whose_process_is_gone_is_buried_and_its_work_asked_for(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_growth(daemon.house.home.inbox, "MBE-1")
    for request in daemon.look(inbox_sensor):
        daemon.run(request)
    (asked,) = daemon.look(stale_sensor)
    run = daemon.instance.create_run_for_job(
        _job("film"),
        tags={"dagster/partition": "MBE-1", **asked.tags},
        status=DagsterRunStatus.STARTED,
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", (
            "import sys, time; from rutile_assets.lake.home import Home; from rutile_assets.ops.alive import hold\n"
            f"hold(Home.find({str(daemon.house.home.root)!r}), {run.run_id!r}); print('held', flush=True)\n"
            "time.sleep(600)"
        )],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert alive.bury_dead_runs(daemon.instance, daemon.house.home, time.time() + 1e4) == []
    finally:
        holder.kill()
        holder.communicate()
    assert alive.bury_dead_runs(daemon.instance, daemon.house.home) == []  # it may be about to start
    assert alive.bury_dead_runs(daemon.instance, daemon.house.home, time.time() + 1e4) == [run.run_id]
    assert daemon.instance.get_run_by_id(run.run_id).status is DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    assert daemon.look(stale_sensor) == []
    monkeypatch.setattr(automation.time, "time", lambda: time.monotonic() + 1e10)
    assert [r.partition_key for r in daemon.look(stale_sensor)] == ["MBE-1"]


def test_code_that_changed_on_disk_waits_for_a_reload(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    drop_growth(daemon.house.home.inbox, "MBE-1")
    for request in daemon.look(inbox_sensor):
        daemon.run(request)
    monkeypatch.setattr(automation, "_sources", lambda: {**automation._LOADED, "new.py": 1})
    assert daemon.look(stale_sensor) == []
    assert "reload" in daemon.said


def test_many_films_share_a_run_and_one_that_fails_is_tried_alone(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SMALL_CAMPAIGN", 3)
    films = [f"MBE-{i}" for i in range(5)]
    for film in films:
        drop_growth(daemon.house.home.inbox, film)
    (ingest,) = daemon.look(inbox_sensor)
    assert daemon.run(ingest)
    (together,) = daemon.look(stale_sensor)
    assert together.tags["dagster/asset_partition_range_end"] == "MBE-4"
    run = daemon.instance.create_run_for_job(_job("film"), tags=dict(together.tags), status=DagsterRunStatus.FAILURE)
    assert run.tags[attempts.WORK_TAG] == together.tags[attempts.WORK_TAG]
    assert sorted(r.partition_key or "" for r in daemon.look(stale_sensor)) == films


def test_alerts_go_to_the_log_and_by_webhook_and_a_deaf_one_stops_nothing(house: House) -> None:
    heard: list[dict[str, str]] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Ear) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        house.home.settings_file.write_text(f"alerts: {{webhook: {{url: '{address}'}}}}\n")
        assert alert(house.home, "film of MBE-1 failed", "growth: a riddle") == []
        server.shutdown()
    assert heard[0]["subject"] == "film of MBE-1 failed"
    assert len(alert(house.home, "again", "nobody listens")) == 1
    log = (house.home.root / "alerts.log").read_text()
    assert "growth: a riddle" in log
    assert "not delivered" in log


@pytest.mark.parametrize("written", ["webhook: {}", "pigeon: {url: x}", "webhook: {url: 'file:///etc/passwd'}"])
def test_alert_settings_that_cannot_work_are_named(house: House, written: str) -> None:
    house.home.settings_file.write_text(f"alerts: {{{written}}}\n")
    with pytest.raises(InvalidRecord, match="alerts"):
        alert_channels(house.home)


def test_every_asset_is_partitioned_by_film_or_spans_films_documented_and_owned() -> None:
    spanning = {asset.name for room in ROOMS for asset in room.assets if asset.spans_films} | {INDEX_PAGE}
    graph = build_definitions(ROOMS).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.partitions_def == (None if key.to_user_string() in spanning else FILMS), key
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key
