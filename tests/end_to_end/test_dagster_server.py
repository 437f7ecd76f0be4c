"""Dagster as people use it: a film materializes from GraphQL, and the sensor reads a quiet inbox folder by itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from growths import drop_growth

from rutile_assets.ops.automation import build_definitions, film_job, folder_state, inbox_sensor
from rutile_assets.ops.catalog import FILMS, HouseResource
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import ROOMS, all_assets
from rutile_assets.simulation.campaign import simulate

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = {"repositoryLocationName": "rutile", "repositoryName": "__repository__"}
LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
ADD = """mutation($r: RepositorySelector!, $k: String!) { addDynamicPartition(
    repositorySelector: $r, partitionsDefName: "films", partitionKey: $k) { __typename } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
ASSET = """query($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode { description groupName kinds
    assetMaterializations(limit: 1) { partition metadataEntries { label } } assetChecksOrError {
    ... on AssetChecks { checks { name blocking } } } } } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start `dagster dev` on a free port over a home with one simulated film; stop it by its process group."""
    home = tmp_path_factory.mktemp("home")
    simulate(home, films=1, seed=4)
    (home / "dagster").mkdir()
    shutil.copy(ROOT / "dagster.yaml", home / "dagster" / "dagster.yaml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "RUTILE_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1"]
    log = (home / "server.log").open("w")
    process = subprocess.Popen(
        [*command, "--port", str(port)], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}/graphql"
    try:
        _until(lambda: _answers(url), 120, "the server to answer")
        yield url, home
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def ask(url: str, query: str, **variables: object) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    assert "errors" not in found, found
    return found["data"]


def _answers(url: str) -> bool:
    try:
        return bool(ask(url, "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _until(true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(1)


def test_a_growth_materializes_from_graphql_and_the_catalog_shows_it(server: tuple[str, Path]) -> None:
    url, home = server
    film = next(p.name for p in (home / "inbox").iterdir())
    ask(url, ADD, r=REPOSITORY, k=film)
    parameters = {
        "selector": {**REPOSITORY, "pipelineName": film_job.name},
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": film}]},
    }
    launched = ask(url, LAUNCH, p=parameters)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    ended = ("SUCCESS", "FAILURE", "CANCELED")
    _until(lambda: ask(url, STATUS, id=run_id)["runOrError"]["status"] in ended, 180, "the run to end")
    assert ask(url, STATUS, id=run_id)["runOrError"]["status"] == "SUCCESS"
    node = ask(url, ASSET, k={"path": ["xrr_fit"]})["assetNodeOrError"]
    assert node["groupName"] == "xrr"
    assert "xrr_fit_layer" in node["description"]
    (made,) = node["assetMaterializations"]
    assert made["partition"] == film
    assert {entry["label"] for entry in made["metadataEntries"]} >= {"plot", "values", "dagster/row_count"}
    assert ("rows_as_declared", True) in {(c["name"], c["blocking"]) for c in node["assetChecksOrError"]["checks"]}
    house = open_house(home)
    assert house.lake.rows("SELECT count(*) AS n FROM results WHERE is_current")[0]["n"] > 20
    # the inbox sensor may have started a run of its own meanwhile
    assert run_id in {row["dagster_run_id"] for row in house.lake.rows("SELECT dagster_run_id FROM lake.run")}
    assert (home / "reports/films" / film / "index.html").is_file()


def _look(house: House, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        definitions=build_definitions(ROOMS),
        resources={"house": HouseResource(home=str(house.home.root))},
    )
    return inbox_sensor(context)


def test_the_sensor_waits_until_a_folder_is_quiet_and_then_asks_once(house: House) -> None:
    simulate(house.home.root, films=1, seed=4)
    folder = next(house.home.inbox.iterdir())
    with dg.DagsterInstance.ephemeral() as instance:
        fresh = _look(house, instance, None)
        assert fresh.run_requests == []
        long_ago = time.time() - 3600
        for path in folder.rglob("*"):
            os.utime(path, (long_ago, long_ago))
        quiet = _look(house, instance, fresh.cursor)
        assert [r.partition_key for r in quiet.run_requests] == [folder.name]
        assert quiet.dynamic_partitions_requests[0].partition_keys == [folder.name]
        assert _look(house, instance, quiet.cursor).run_requests == []
        state, _ = folder_state(folder)
        (folder / "growth.yaml").write_text((folder / "growth.yaml").read_text() + "# more\n")
        os.utime(folder / "growth.yaml", (long_ago, long_ago))
        again = _look(house, instance, quiet.cursor)
        assert folder_state(folder)[0] != state
        assert again.run_requests[0].run_key != quiet.run_requests[0].run_key


def test_a_daemon_over_a_home_that_is_up_to_date_starts_nothing(house: House) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    (folder / "junk.bin").write_bytes(b"junk")
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    run = RunContext("cli")
    house.ingest([folder], run)
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(_look(house, instance, None).run_requests) == 1
        for asset in all_assets():
            if asset.name == "growth":
                materialize(house.lake, house.home, asset, "MBE-1", run)
        assert _look(house, instance, None).run_requests == []


def test_loose_files_and_folders_without_a_growth_are_refused_not_run(house: House) -> None:
    (house.home.inbox / "nobody").mkdir()
    for path in (house.home.inbox / "nobody" / "a.dat", house.home.inbox / "b.dat"):
        path.write_text("1 2\n")
        os.utime(path, (1e9, 1e9))
    with dg.DagsterInstance.ephemeral() as instance:
        looked = _look(house, instance, None)
    assert looked.run_requests == []
    refused = house.lake.rows("SELECT path FROM rejected_files ORDER BY path")
    assert len(refused) == 2


def test_every_asset_is_partitioned_by_film_or_spans_films_documented_and_owned() -> None:
    spanning = {asset.name for asset in all_assets() if asset.spans_films}
    graph = build_definitions(ROOMS).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.partitions_def == (None if key.to_user_string() in spanning else FILMS), key
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key
