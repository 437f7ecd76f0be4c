"""Dagster as people use it: a film materializes from GraphQL, and the catalog shows what it did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster_server import REPOSITORY, Server, until

from rutile_assets.ops.automation import film_job
from rutile_assets.ops.house import open_house
from rutile_assets.simulation.campaign import simulate

LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
ADD = """mutation($r: RepositorySelector!, $k: String!) { addDynamicPartition(
    repositorySelector: $r, partitionsDefName: "films", partitionKey: $k) { __typename } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
ASSET = """query($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode { description groupName kinds
    assetMaterializations(limit: 1) { partition metadataEntries { label } } assetChecksOrError {
    ... on AssetChecks { checks { name blocking } } } } } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    simulate(home, films=1, seed=4)
    server = Server(home)
    try:
        yield server
    finally:
        server.stop()


def test_a_growth_materializes_from_graphql_and_the_catalog_shows_it(server: Server) -> None:
    home = server.home
    film = next(p.name for p in (home / "inbox").iterdir())
    server.ask(ADD, r=REPOSITORY, k=film)
    parameters = {
        "selector": {**REPOSITORY, "pipelineName": film_job.name},
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": film}]},
    }
    launched = server.ask(LAUNCH, p=parameters)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    ended = ("SUCCESS", "FAILURE", "CANCELED")
    until(lambda: server.ask(STATUS, id=run_id)["runOrError"]["status"] in ended, 180, "the run to end")
    assert server.ask(STATUS, id=run_id)["runOrError"]["status"] == "SUCCESS"
    node = server.ask(ASSET, k={"path": ["xrr_fit"]})["assetNodeOrError"]
    assert node["groupName"] == "xrr"
    assert "xrr_fit_layer" in node["description"]
    (made,) = node["assetMaterializations"]
    assert made["partition"] == film
    assert {entry["label"] for entry in made["metadataEntries"]} >= {"plot", "values", "page", "dagster/row_count"}
    assert ("rows_as_declared", True) in {(c["name"], c["blocking"]) for c in node["assetChecksOrError"]["checks"]}
    house = open_house(home)
    assert house.lake.rows("SELECT count(*) AS n FROM results WHERE is_current")[0]["n"] > 20
    # the inbox sensor may have started a run of its own meanwhile
    assert run_id in {row["dagster_run_id"] for row in house.lake.rows("SELECT dagster_run_id FROM lake.run")}
    assert (home / "reports/films" / film / "index.html").is_file()
    _shows_our_versions(home, film)


def _shows_our_versions(home: Path, film: str) -> None:
    """Dagster's data version of an asset is the lake's, and columns that are carried over say from where."""
    made = {
        row["asset"]: row["data_version"]
        for row in open_house(home).lake.rows(
            "SELECT asset, data_version FROM lake.entity WHERE kind = 'asset' AND growth_id = ?"
            " QUALIFY entity_id = max(entity_id) OVER (PARTITION BY asset)",
            [film],
        )
    }
    assert {"growth", "xrr_scan", "xrr_fit"} <= made.keys()
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        for asset, version in made.items():
            event = instance.get_latest_materialization_event(dg.AssetKey(asset))
            shown = event.asset_materialization if event else None
            assert shown is not None
            assert (shown.tags or {})["dagster/data_version"] == version, asset
        lineage = instance.get_latest_materialization_event(dg.AssetKey("xrr_fit"))
    assert lineage is not None
    assert lineage.asset_materialization is not None
    columns = lineage.asset_materialization.metadata["dagster/column_lineage"].value.deps_by_column
    assert dg.TableColumnDep(dg.AssetKey("xrr_scan"), "file_id") in columns["file_id"]
