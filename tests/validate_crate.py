"""Run the official RO-Crate validator (roc-validator) on a crate, offline: the contexts come from the package rocrate.

    PYTHON_WITH_THE_VALIDATOR tests/validate_crate.py CRATE PROFILE SEVERITY

A script of its own, since roc-validator pins packages that differ from ours: `python -m venv V; V/bin/pip install
roc-validator rocrate==0.13.0` (Apache-2.0 both). Prints what is broken, and how many checks were made; exit code 1
where something is.
"""

from __future__ import annotations

import io
import json
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rdflib.plugins.shared.jsonld.util as jsonld
import rocrate
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def _stored(url: str) -> bytes:
    if url != CONTEXT:
        raise OSError(f"no network here for {url}")
    return (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()


def _get(_: Any, url: str, **__: Any) -> Any:
    content = _stored(url)
    return SimpleNamespace(
        status_code=200, headers={"Content-Type": "application/ld+json"}, json=lambda: json.loads(content), ok=True,
        text=content.decode(), content=content,
    )  # fmt: skip


def main(crate: str, profile: str, severity: str) -> int:
    assert json.loads(_stored(CONTEXT))["@id"] == CONTEXT, "rocrate 0.13.0 brings the context of RO-Crate 1.1"
    HttpRequester.get = _get
    load = jsonld.source_to_json
    jsonld_context = sys.modules["rdflib.plugins.shared.jsonld.context"]

    def from_store(source: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(source, str) and source.startswith("http"):
            answer = json.loads(_stored(source)), None
            return answer if isinstance(load(io.StringIO("{}")), tuple) else answer[0]
        return load(source, *rest, **named)

    for module in (jsonld, jsonld_context):
        module.source_to_json = from_store
    urllib.request.urlopen = lambda *_, **__: (_ for _ in ()).throw(OSError("no network here"))
    settings = services.ValidationSettings(
        rocrate_uri=crate, profile_identifier=profile, requirement_severity=models.Severity[severity],
    )  # fmt: skip
    result = services.validate(settings)
    for issue in result.get_issues():
        print(f"{issue.severity.name} {issue.check.identifier} {issue.message} {issue.violatingEntity or ''}")
    print(f"{len(result.executed_checks)} checks, {len(list(result.get_issues()))} broken")
    return 0 if not result.has_issues() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
