"""ro-crate-metadata.json: the files of a crate, the workflow, and every activity with what it used and made.

RO-Crate 1.1 with the Provenance Run Crate profile 0.5 (https://w3id.org/ro/wfrun/provenance), whose activities are
those of the lake: a run of the lake is a run of the workflow, an asset is a step and a tool, an activity is a
CreateAction. A version of an asset is a Collection of the tables that hold its rows.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from rutile_assets import __version__
from rutile_assets.provenance.crate.lab import Lab
from rutile_assets.provenance.crate.parts import METADATA, Part, Parts
from rutile_assets.provenance.crate.selection import Selection
from rutile_assets.provenance.film_asset import Asset

LAYOUT = "1"
LAYOUT_NAME = "rutile crate layout"
CRATE_1_1 = "https://w3id.org/ro/crate/1.1"
PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_TERMS = "https://w3id.org/ro/terms/workflow-run#"
CONTEXT = [f"{CRATE_1_1}/context", {word: f"{_TERMS}{word}" for word in ("sha256", "environment", "resourceUsage")}]
WORKFLOW = "workflow/assets.json"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
DONE = {"actionStatus": "http://schema.org/CompletedActionStatus"}
Node = dict[str, Any]


@dataclass
class Crate:
    """What the metadata are made from.

    Parameters
    ----------
    name, description : str
        Of the crate.
    selection : Selection
        The rows.
    parts : Parts
        The files, metadata and manifest left out.
    lab : Lab
        Who hands it out.
    assets : sequence of Asset
        The workflow's steps, upstream before downstream.
    folders : dict of str to dict
        Path of a folder -> further properties of its Dataset; its files are those below it.
    """

    name: str
    description: str
    selection: Selection
    parts: Parts
    lab: Lab
    assets: Sequence[Asset]
    folders: dict[str, Node]
    nodes: list[Node] = field(default_factory=list)

    def add(self, identity: str, kind: str | list[str], **properties: Any) -> Node:
        """Add an entity, and return the reference to it; what is empty is left out, one value stands alone."""
        node = {"@id": identity, "@type": kind}
        for name, value in properties.items():
            if value is None or (isinstance(value, list) and not value):
                continue
            node[name] = value[0] if isinstance(value, list) and len(value) == 1 else value
        self.nodes.append(node)
        return {"@id": identity}


def metadata(crate: Crate) -> str:
    """Return the content of ro-crate-metadata.json."""
    lab = _lab(crate)
    license_ = _license(crate)
    values = _Values(crate)
    tools, steps = _workflow(crate, values)
    mentions = _actions(crate, lab, values, tools, steps)
    values.add()
    _files(crate)
    parts = [_ref(_path(part.path)) for part in crate.parts] + [_ref(_folder(path)) for path in crate.folders]
    selection = crate.selection
    for address, name, version in PROFILES:
        crate.add(address, "CreativeWork", name=name, version=version)
    crate.add("#layout", "PropertyValue", name=LAYOUT_NAME, value=LAYOUT)
    root: Node = {
        "@id": "./", "@type": "Dataset", "name": crate.name, "description": crate.description,
        "datePublished": selection.newest.isoformat(timespec="seconds") + "Z", "license": license_, "author": lab,
        "publisher": lab, "conformsTo": [_ref(address) for address, _, _ in PROFILES], "identifier": _ref("#layout"),
        "keywords": ", ".join(_keywords(selection)), "mainEntity": _ref(WORKFLOW), "hasPart": parts,
        "mentions": mentions,
    }  # fmt: skip
    descriptor: Node = {
        "@id": METADATA, "@type": "CreativeWork", "about": _ref("./"), "version": "1.0",
        "conformsTo": [_ref(CRATE_1_1), _ref(PROFILES[-1][0])], "sdPublisher": lab,
        "dateCreated": selection.newest.isoformat(timespec="seconds") + "Z",
    }  # fmt: skip
    graph = [descriptor, root, *crate.nodes]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


class _Values:
    """Parameters of assets with the values that activities used, each pair once."""

    def __init__(self, crate: Crate) -> None:
        self.crate = crate
        self.used: dict[str, dict[str, Any]] = defaultdict(dict)
        for row in crate.selection.rows("activity"):
            for name, value in json.loads(row["parameters"]).items():
                self.used[_formal(row["asset"], name)][_value(row["asset"], name, value)] = value

    def of(self, row: Mapping[str, Any]) -> list[Node]:
        """Return references to the values that an activity used."""
        return [_ref(_value(row["asset"], name, value)) for name, value in json.loads(row["parameters"]).items()]

    def parameters_of(self, asset: str) -> list[Node]:
        """Return references to the parameters of an asset."""
        return [_ref(name) for name in self.used if name.startswith(f"#parameter-{asset}.")]

    def add(self) -> None:
        """Add the entities."""
        for formal, values in self.used.items():
            self.crate.add(
                formal, "FormalParameter", name=formal.rpartition(".")[2], additionalType="PropertyValue",
                workExample=[_ref(key) for key in values],
            )  # fmt: skip
            for key, value in values.items():
                plain = value if isinstance(value, int | float | str | bool) else json.dumps(value)
                self.crate.add(
                    key, "PropertyValue", name=formal.rpartition(".")[2], value=plain, exampleOfWork=_ref(formal)
                )


def _lab(crate: Crate) -> Node:
    lab = crate.lab
    return crate.add(lab.url or "#lab", "Organization", name=lab.name, url=lab.url, email=lab.contact)


def _license(crate: Crate) -> Node:
    address = crate.lab.license_url
    if address is None:
        return _ref("licence.md")
    return crate.add(address, "CreativeWork", name=crate.lab.license)


def _workflow(crate: Crate, values: _Values) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Add the workflow with its steps and tools; return (asset, code version) -> tool, and asset -> step."""
    described = {asset.name: " ".join(asset.description.split()) for asset in crate.assets}
    order = {name: place for place, name in enumerate(["ingest", *described])}
    used: dict[str, list[str]] = defaultdict(list)
    for row in crate.selection.rows("activity"):
        if row["code_version"] not in used[row["asset"]]:
            used[row["asset"]].append(row["code_version"])
    names = sorted(used, key=lambda name: (order.get(name, len(order)), name))
    tools = {(name, code): f"#tool-{name}-{code}" for name in names for code in used[name]}
    steps = {name: f"#step-{name}" for name in names}
    tables = defaultdict(list)
    for asset in crate.assets:
        tables[asset.name] = [t.name for t in asset.writes if t.name in crate.selection.tables]
    crate.add("https://www.python.org/", "ComputerLanguage", name="Python", url="https://www.python.org/")
    crate.add(
        "#rutile_assets", "SoftwareApplication", name="rutile_assets", softwareVersion=__version__,
        license="https://spdx.org/licenses/Apache-2.0",
    )  # fmt: skip
    crate.add(
        "https://dagster.io/", "SoftwareApplication", name="Dagster", url="https://dagster.io/",
        softwareVersion=_version_of(crate, "dagster"),
    )  # fmt: skip
    for (name, code), identity in tools.items():
        crate.add(
            identity, "SoftwareSourceCode", name=name, version=code, description=described.get(name, name),
            programmingLanguage=_ref("https://www.python.org/"), isPartOf=_ref("#rutile_assets"),
            input=values.parameters_of(name), output=[_ref(f"#table-{table}") for table in tables[name]],
        )  # fmt: skip
    for name, identity in steps.items():
        crate.add(
            identity, "HowToStep", name=name, position=str(names.index(name) + 1),
            workExample=[_ref(tools[name, code]) for code in used[name]],
        )  # fmt: skip
    for table in (table for name in names for table in tables[name]):
        file = _ref(f"tables/{table}.parquet")
        crate.add(f"#table-{table}", "FormalParameter", name=table, additionalType="File", workExample=file)
    part = crate.parts[WORKFLOW]
    crate.add(
        WORKFLOW, ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"], name="Assets of rutile_assets",
        description=part.says, programmingLanguage=_ref("https://www.python.org/"), version=__version__,
        conformsTo=_ref(BIOSCHEMAS), encodingFormat=part.media_type, contentSize=str(part.size_bytes),
        sha256=part.sha256, hasPart=[_ref(tool) for tool in tools.values()],
        step=[_ref(step) for step in steps.values()],
    )  # fmt: skip
    return tools, steps


def _version_of(crate: Crate, package: str) -> list[str]:
    """Return the versions of a package in the environments of the crate."""
    packages = (json.loads(row["packages"]) for row in crate.selection.rows("environment"))
    return sorted({known[package] for known in packages if package in known})


def _actions(
    crate: Crate, lab: Node, values: _Values, tools: Mapping[tuple[str, str], str], steps: Mapping[str, str]
) -> list[Node]:
    """Add a CreateAction for every activity and run, and what they made; return references to what root mentions."""
    selection = crate.selection
    held = _held(crate)
    made: dict[int, list[Node]] = defaultdict(list)
    maker: dict[int, int] = {}
    names: dict[int, Node] = {}
    mentions: list[Node] = []
    for row in [*selection.rows("entity"), *selection.rows("outside")]:
        entity_id = row["entity_id"]
        if row["kind"] == "raw_file" and entity_id in selection.places:
            names[entity_id] = _ref(_path(selection.places[entity_id]))
        else:
            tables = [_ref(f"tables/{name}.parquet") for name in held[entity_id]]
            said = {"name": f"{row['asset']} of {row['growth_id'] or 'all films'}", "version": row["data_version"],
                    "identifier": str(entity_id)}  # fmt: skip
            if tables:
                said |= {"hasPart": tables, "mainEntity": tables[0], "description": f"rows with entity_id {entity_id}"}
            else:
                said |= {"description": "a version that has no rows here"}
            names[entity_id] = crate.add(f"#entity-{entity_id}", "Collection" if tables else "CreativeWork", **said)
            mentions.append(names[entity_id])
        made[row["activity_id"]].append(names[entity_id])
        maker[entity_id] = row["activity_id"]
    used: dict[int, dict[str, Node]] = defaultdict(dict)
    for edge in selection.rows("edge"):
        parent = names[edge["parent"]]
        used[maker[edge["child"]]][parent["@id"]] = parent
    by_run: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in selection.rows("activity"):
        by_run[row["run_id"]].append(row)
        of = row["partition"] or "all films"
        seed = "" if row["seed"] is None else f", seed {row['seed']}"
        action = crate.add(
            f"#activity-{row['activity_id']}", "CreateAction", name=f"{row['asset']} of {of}",
            description=f"{row['asset']} of {of}: code {row['code_version']}{seed}",
            instrument=_ref(tools[row["asset"], row["code_version"]]), agent=lab,
            startTime=_time(row["started_at"]), endTime=_time(_end(row)),
            object=[*used[row["activity_id"]].values(), *values.of(row)], result=made[row["activity_id"]], **DONE,
        )  # fmt: skip
        crate.add(
            f"#control-{row['activity_id']}", "ControlAction", name=f"step {row['asset']}",
            instrument=_ref(steps[row["asset"]]), object=action, **DONE,
        )  # fmt: skip
        mentions.append(action)
    mentions += _runs(crate, lab, by_run, used, made)
    return mentions


def _held(crate: Crate) -> dict[int, list[str]]:
    """Return the tables that hold rows of each version, by entity_id."""
    held: dict[int, list[str]] = defaultdict(list)
    for asset in crate.assets:
        for table in asset.writes:
            if table.name in crate.selection.tables:
                for entity_id in crate.selection.tables[table.name].column("entity_id").unique().to_pylist():
                    held[entity_id].append(table.name)
    return held


def _runs(
    crate: Crate,
    lab: Node,
    by_run: Mapping[int, Sequence[Mapping[str, Any]]],
    used: Mapping[int, Mapping[str, Node]],
    made: Mapping[int, Sequence[Node]],
) -> list[Node]:
    environments = {row["environment_id"]: _environment(crate, row) for row in crate.selection.rows("environment")}
    mentions = []
    for run in crate.selection.rows("run"):
        rows = by_run[run["run_id"]]
        results = {node["@id"]: node for row in rows for node in made[row["activity_id"]]}
        objects = {key: node for row in rows for key, node in used[row["activity_id"]].items() if key not in results}
        commit = "" if run["git_commit"] is None else f", commit {run['git_commit']}"
        dirty = " with uncommitted changes" if run["git_dirty"] else ""
        action = crate.add(
            f"#run-{run['run_id']}", "CreateAction", name=f"run of {run['started_at']:%Y-%m-%d %H:%M:%S}",
            description=f"{len(rows)} activities here, started by {run['trigger']}{commit}{dirty}", agent=lab,
            instrument=_ref(WORKFLOW), startTime=_time(run["started_at"]), endTime=_time(max(map(_end, rows))),
            object=list(objects.values()), result=list(results.values()),
            environment=environments[run["environment_id"]], **DONE,
        )  # fmt: skip
        mentions.append(action)
        mentions.append(crate.add(
            f"#organize-{run['run_id']}", "OrganizeAction", name="the workflow engine's part of it",
            instrument=_ref("https://dagster.io/"), result=action,
            object=[_ref(f"#control-{row['activity_id']}") for row in rows], **DONE,
        ))  # fmt: skip
    return mentions


def _environment(crate: Crate, row: Mapping[str, Any]) -> list[Node]:
    identity = row["environment_id"]
    said = {"python": row["python"], "platform": row["platform"], "device": row["device"],
            "packages": f"environment/{identity}.txt"}  # fmt: skip
    return [
        crate.add(f"#environment-{identity}-{name}", "PropertyValue", name=name, value=value)
        for name, value in said.items()
    ]


def _files(crate: Crate) -> None:
    """Add every file, and the folders that are one thing."""
    raw = {crate.selection.places[row["file_id"]]: row for row in crate.selection.rows("raw_file")
           if row["file_id"] in crate.selection.places}  # fmt: skip
    inside: dict[str, list[Node]] = defaultdict(list)
    for part in crate.parts:
        if part.path == WORKFLOW:
            continue
        folder = next((path for path in crate.folders if part.path.startswith(f"{path}/")), None)
        if folder is not None:
            inside[folder].append(_ref(_path(part.path)))
        row = raw.get(part.path)
        table = part.path.removeprefix("tables/").removesuffix(".parquet")
        is_output = part.path.startswith("tables/") and any(t.name == table for a in crate.assets for t in a.writes)
        crate.add(
            _path(part.path), "File", name=part.path.rpartition("/")[2], description=part.says,
            encodingFormat=part.media_type, contentSize=str(part.size_bytes), sha256=part.sha256,
            dateCreated=_time(row["acquired_at"]) if row and row["acquired_at"] else None,
            about=_ref("./") if part.path == "README.md" else None,
            exampleOfWork=_ref(f"#table-{table}") if is_output and _is_used(crate, table) else None,
        )  # fmt: skip
    for path, properties in crate.folders.items():
        crate.add(_folder(path), "Dataset", **properties, hasPart=inside[path])


def _is_used(crate: Crate, table: str) -> bool:
    """Tell whether a step of this crate wrote the table, so that it is a parameter of the workflow."""
    makers = {asset.name for asset in crate.assets if any(t.name == table for t in asset.writes)}
    return any(row["asset"] in makers for row in crate.selection.rows("activity"))


def _keywords(selection: Selection) -> list[str]:
    materials = {row["material"] for row in selection.rows("growth_layer")}
    said = ["simulated data"] if selection.is_simulated else []
    return [*said, "thin film", *sorted(materials), *selection.growth_ids[:50]]


def _formal(asset: str, name: str) -> str:
    return f"#parameter-{asset}.{name}"


def _value(asset: str, name: str, value: Any) -> str:
    return f"#value-{asset}.{name}-{hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]}"


def _ref(identity: str) -> Node:
    return {"@id": identity}


def _path(path: str) -> str:
    return quote(path, safe="/-._~+")


def _folder(path: str) -> str:
    return f"{_path(path)}/"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds") + "+00:00"


def _end(row: Mapping[str, Any]) -> datetime:
    end: datetime = row["started_at"] + timedelta(seconds=row["wall_time_s"])
    return end


def parts_of(nodes: Sequence[Node]) -> dict[str, Part]:
    """Return the files that metadata list, by their @id."""
    return {
        node["@id"]: Part(node["@id"], str(node.get("description", "")), int(node["contentSize"]), node["sha256"])
        for node in nodes
        if "sha256" in node
    }
