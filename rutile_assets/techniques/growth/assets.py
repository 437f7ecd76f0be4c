"""The growth room: growth.yaml to tables."""

from __future__ import annotations

from itertools import groupby

import pandas as pd

from rutile_assets.provenance.film import Film, Outcome
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.growth.record import GrowthRecord, read_growth
from rutile_assets.techniques.growth.tables import GROWTH, GROWTH_LAYER


@film_asset(room="growth", files="growth", writes=(GROWTH, GROWTH_LAYER), kinds=("yaml",))
def growth(film: Film) -> Outcome:
    """Films and their layers as the growers describe them in growth.yaml."""
    record = read_growth(film.files[0].path.read_bytes(), film.files[0].name)
    return Outcome(tables={"growth": pd.DataFrame([_growth_row(record)]), "growth_layer": _layer_rows(record)})


def _growth_row(record: GrowthRecord) -> dict[str, object]:
    substrate = record.substrate.model_dump()
    return {
        **record.model_dump(include={"origin", "operator"}),
        "growth_method": record.method,
        "growth_notes": record.notes,
        "grown_at": record.grown_at and record.grown_at.replace(tzinfo=None),
        **{f"substrate_{name}": value for name, value in substrate.items()},
        **record.conditions.model_dump(exclude={"duration_s"}),
        "growth_duration_s": record.conditions.duration_s,
        "stack": stack_text(record),
        "series": series_text(record),
        "related": " ".join(record.related),
    }


def _layer_rows(record: GrowthRecord) -> pd.DataFrame:
    rows = [
        {"layer_index": i, "layer_role": layer.role, **layer.model_dump(exclude={"role"})}
        for i, layer in enumerate(record.layers, start=1)
    ]
    return pd.DataFrame(rows, columns=[c for c in GROWTH_LAYER.column_names if c not in ("growth_id", "entity_id")])


def stack_text(record: GrowthRecord) -> str:
    """Return the stack as growers write it: substrate first, e.g. ``TiO2 (110) / RuO2 3.8 nm / TiO2 2.5 nm``."""
    facing = f" ({record.substrate.orientation})" if record.substrate.orientation else ""
    layers = [f"{layer.material} {layer.nominal_thickness_nm:g} nm" for layer in record.layers]
    return " / ".join([record.substrate.material + facing, *layers])


def series_text(record: GrowthRecord) -> str:
    """Return the materials from the surface down, neighbours of one material as one, e.g. ``TiO2/RuO2/TiO2``."""
    materials = [record.substrate.material, *(layer.material for layer in record.layers)]
    return "/".join(material for material, _ in groupby(reversed(materials)))


ROOM = Room(name="growth", title="Growth", folders=("growth",), check=None, assets=(growth,))
