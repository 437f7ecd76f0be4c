"""growth.yaml: what a grower writes about a film, checked key by key."""

from __future__ import annotations

import re
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rutile_assets.errors import InvalidRecord
from rutile_assets.formats.yaml_text import read_mapping

GROWTH_FILE = "growth.yaml"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Substrate(_Record):
    """What the film stands on."""

    material: Annotated[str, Field(min_length=1, description="chemical formula, e.g. TiO2")]
    orientation: Annotated[str | None, Field(description='Miller indices of the surface, quoted: "110"')] = None
    vendor: str | None = None
    treatment: str | None = None
    density_g_per_cm3: Annotated[float | None, Field(gt=0, le=25)] = None


class Layer(_Record):
    """One layer, as it was meant."""

    material: Annotated[str, Field(min_length=1, description="chemical formula, e.g. RuO2")]
    nominal_thickness_nm: Annotated[float, Field(gt=0, le=10_000)]
    role: Literal["buffer", "film", "cap"] | None = None
    precursor: str | None = None
    source_temperature_c: Annotated[float | None, Field(ge=-273.15, le=3000)] = None
    density_g_per_cm3: Annotated[float | None, Field(gt=0, le=25)] = None


class Conditions(_Record):
    """How it was grown."""

    oxygen_pressure_torr: Annotated[float | None, Field(ge=0)] = None
    plasma_power_w: Annotated[float | None, Field(ge=0)] = None
    substrate_temperature_c: Annotated[float | None, Field(ge=-273.15, le=3000)] = None
    cooldown_to_c: Annotated[float | None, Field(ge=-273.15, le=3000)] = None
    duration_s: Annotated[float | None, Field(ge=0)] = None


class GrowthRecord(_Record):
    """One growth: growth_id, origin and substrate are required."""

    growth_id: Annotated[str, Field(pattern=ID_PATTERN, description="the film's name everywhere; also its folder's")]
    origin: Annotated[Literal["measured", "simulated"], Field(description="whether the data come from instruments")]
    substrate: Substrate
    grown_at: datetime | None = None
    method: str | None = None
    operator: Annotated[str | None, Field(description="initials or badge")] = None
    layers: Annotated[list[Layer], Field(description="bottom to top", max_length=500)] = []
    conditions: Conditions = Conditions()
    related: list[Annotated[str, Field(pattern=ID_PATTERN)]] = []
    notes: str | None = None


def read_growth(text: bytes, name: str = GROWTH_FILE) -> GrowthRecord:
    """Read and check a growth.yaml.

    Raises
    ------
    UnreadableFile
        It is not YAML.
    InvalidRecord
        A key is missing, unknown (the nearest known one is named) or has a wrong value.
    """
    mapping = read_mapping(text, name)
    try:
        return GrowthRecord.model_validate(mapping)
    except ValidationError as faults:
        # an unknown key first: a misspelt key is also a missing one
        raise _told(min(faults.errors(), key=lambda fault: fault["type"] != "extra_forbidden"), name) from None


def json_schema() -> dict[str, Any]:
    """Return the JSON schema that an editor can check a growth.yaml with."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **GrowthRecord.model_json_schema()}


def _told(fault: Any, name: str) -> InvalidRecord:
    where = ".".join(str(step + 1) if isinstance(step, int) else step for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = _known_keys(fault["loc"])
        near = get_close_matches(str(fault["loc"][-1]), known, n=1, cutoff=0.4)
        hint = f"the key {near[0]!r}" if near else f"one of {', '.join(known)}"
        return InvalidRecord(f"the unknown key {where!r}", hint, f"Rename or remove it; see {SCHEMA_HINT}.", name)
    if fault["type"] == "missing":
        return InvalidRecord(f"no {where!r}", f"the required key {where!r}", f"Add it; see {SCHEMA_HINT}.", name)
    message = re.sub(r"\s+", " ", fault["msg"])
    found = f"{where}: {fault['input']!r}"[:200]
    return InvalidRecord(found, message[:1].lower() + message[1:], f"Correct it; see {SCHEMA_HINT}.", name)


SCHEMA_HINT = "docs/growth.md"
_INNER: dict[str, type[BaseModel]] = {"substrate": Substrate, "layers": Layer, "conditions": Conditions}


def _known_keys(location: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = GrowthRecord
    for step in location[:-1]:
        model = _INNER.get(str(step), model)
    return sorted(model.model_fields)
