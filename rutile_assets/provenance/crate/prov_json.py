"""A selection as W3C PROV, in the PROV-JSON form: entities, activities, agents and how they hang together."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from rutile_assets import __version__
from rutile_assets.provenance.crate.lab import Lab
from rutile_assets.provenance.crate.selection import Selection

NAMESPACE = "urn:rutile:"


def prov_json(selection: Selection, lab: Lab, crate_name: str) -> str:
    """Return the lineage of a selection as PROV-JSON (https://www.w3.org/submissions/prov-json/).

    Ids are those of the lake; ``rutile:file`` names the file in the crate.
    """
    files = {row["file_id"]: row for row in selection.rows("raw_file")}
    activities = {row["activity_id"]: row for row in selection.rows("activity")}
    entities = [*selection.rows("entity"), *selection.rows("outside")]
    document: dict[str, Any] = {
        "prefix": {"rutile": NAMESPACE, "xsd": "http://www.w3.org/2001/XMLSchema#"},
        "entity": {_entity(row["entity_id"]): _described(row, files, selection.places) for row in entities},
        "activity": {
            _activity(row["activity_id"]): {
                "prov:startTime": row["started_at"].isoformat(),
                "prov:endTime": (row["started_at"] + timedelta(seconds=row["wall_time_s"])).isoformat(),
                "prov:label": f"{row['asset']} of {row['partition'] or 'all films'}",
                "rutile:asset": row["asset"],
                "rutile:code_version": row["code_version"],
                "rutile:parameters": row["parameters"],
                **({"rutile:seed": row["seed"]} if row["seed"] is not None else {}),
            }
            for row in activities.values()
        },
        "agent": {
            "rutile:software": {
                "prov:type": _name("prov:SoftwareAgent"), "prov:label": "rutile_assets", "rutile:version": __version__,
            },
            "rutile:lab": {"prov:type": _name("prov:Organization"), "prov:label": lab.name},
        },
        "wasGeneratedBy": {
            f"_:made{row['entity_id']}": {
                "prov:entity": _entity(row["entity_id"]), "prov:activity": _activity(row["activity_id"]),
            }
            for row in selection.rows("entity")
            if row["activity_id"] in activities
        },
        "used": {}, "wasDerivedFrom": {},
        "wasAssociatedWith": {
            f"_:by{key}": {"prov:activity": _activity(key), "prov:agent": "rutile:software"} for key in activities
        },
        "actedOnBehalfOf": {"_:software": {"prov:delegate": "rutile:software", "prov:responsible": "rutile:lab"}},
        "wasAttributedTo": {
            f"_:of{row['entity_id']}": {"prov:entity": _entity(row["entity_id"]), "prov:agent": "rutile:lab"}
            for row in selection.rows("entity")
            if row["kind"] == "raw_file"
        },
    }  # fmt: skip
    maker = {row["entity_id"]: row["activity_id"] for row in selection.rows("entity")}
    for place, edge in enumerate(selection.rows("edge")):
        child, parent = _entity(edge["child"]), _entity(edge["parent"])
        document["used"][f"_:used{place}"] = {
            "prov:activity": _activity(maker[edge["child"]]), "prov:entity": parent, "prov:role": edge["role"],
        }  # fmt: skip
        document["wasDerivedFrom"][f"_:from{place}"] = {
            "prov:generatedEntity": child, "prov:usedEntity": parent,
            "prov:activity": _activity(maker[edge["child"]]),
        }  # fmt: skip
    document["entity"]["rutile:crate"] = {
        "prov:type": _name("prov:Collection"), "prov:label": crate_name,
        "rutile:is_simulated": selection.is_simulated,
    }  # fmt: skip
    document["hadMember"] = {
        f"_:member{row['entity_id']}": {"prov:collection": "rutile:crate", "prov:entity": _entity(row["entity_id"])}
        for row in selection.rows("entity")
    }
    return json.dumps({key: value for key, value in document.items() if value}, indent=1, ensure_ascii=False) + "\n"


def _described(row: dict[str, Any], files: dict[int, dict[str, Any]], places: dict[int, str]) -> dict[str, Any]:
    known = {
        "prov:type": _name(f"rutile:{row['kind']}"),
        "prov:label": f"{row['asset']} of {row['growth_id'] or 'all films'}",
        "rutile:data_version": row["data_version"],
    }
    file = files.get(row["entity_id"])
    if file is not None:
        path = places[row["entity_id"]]
        known |= {"prov:label": path.partition("/")[2], "rutile:sha256": file["sha256"], "rutile:file": path}
    return known


def _name(name: str) -> dict[str, str]:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _entity(entity_id: int) -> str:
    return f"rutile:entity_{entity_id}"


def _activity(activity_id: int) -> str:
    return f"rutile:activity_{activity_id}"
