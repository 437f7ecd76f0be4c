"""docs/growth.md and the JSON schema hold what the reader holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from rutile_assets.errors import InvalidRecord
from rutile_assets.techniques.growth.record import read_growth

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = re.findall(r"```yaml\n(.*?)```", (DOCS / "growth.md").read_text(), re.DOTALL)[0]
SCHEMA = json.loads((DOCS / "growth.schema.json").read_text())


def _plain(text: str) -> object:
    return json.loads(json.dumps(yaml.safe_load(text), default=lambda value: value.isoformat()))


def test_the_example_is_read_whole() -> None:
    record = read_growth(EXAMPLE.encode())
    assert record.growth_id == "MBE-0142"
    assert [layer.role for layer in record.layers] == ["buffer", None, "cap"]
    assert record.conditions.oxygen_pressure_torr == pytest.approx(5e-6)


def test_the_schema_accepts_the_example_and_refuses_what_the_reader_refuses() -> None:
    jsonschema.validate(_plain(EXAMPLE), SCHEMA)
    for old, new in (("substrate:", "substrat:"), ("origin: measured", "origin: dreamt"), ("2.5, role", "-1, role")):
        wrong = EXAMPLE.replace(old, new)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(_plain(wrong), SCHEMA)
        with pytest.raises(InvalidRecord):
            read_growth(wrong.encode())
