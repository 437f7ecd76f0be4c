"""A lake of a bare and a capped film as tables and numbers only, to which a test adds what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rutile_assets.provenance.film import Films
from rutile_assets.rooms import all_tables

BARE, CAPPED = "RuO2/TiO2", "TiO2/RuO2/TiO2"
FILM, CAP = "F-4", "T-4"  # one film of each series
TABLES = {table.name: table for table in all_tables()}


class FlagLake:
    """Numbers and rows that a test puts in; every table exists, empty at first."""

    def __init__(self, *, origin: str = "simulated") -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.numbers: dict[str, list[dict[str, Any]]] = {}
        self.shifts: dict[str, list[dict[str, Any]]] = {}
        self._next = 100
        self.origin = origin
        self.films_of_series: dict[str, str] = {}
        self.film(FILM, BARE, 4.0)
        self.film(CAP, CAPPED, 4.0)

    def film(self, growth_id: str, series: str, thickness_nm: float) -> None:
        """Add a film whose RuO2 was meant to be so thick; a series without RuO2 is a bare substrate."""
        self.films_of_series[growth_id] = series
        self.row("growth", growth_id=growth_id, series=series, substrate_material="TiO2", origin=self.origin)
        layers = {BARE: ("RuO2",), CAPPED: ("TiO2", "RuO2", "TiO2")}.get(series, ())
        for index, material in enumerate(layers, 1):
            nominal = thickness_nm if material == "RuO2" else 2.5
            self.row(
                "growth_layer", growth_id=growth_id, layer_index=index, material=material, nominal_thickness_nm=nominal
            )

    def film_near(self, series: str, thickness_nm: float) -> str:
        """Return the film of a series that is so thick, added where there is none."""
        growth_id = f"{series} {thickness_nm:g} nm"
        if growth_id not in self.films_of_series:
            self.film(growth_id, series, thickness_nm)
        return growth_id

    def row(self, table: str, **cells: Any) -> None:
        """Add a row to a table; cells that are not named are NULL."""
        assert set(cells) <= set(TABLES[table].column_names), set(cells) - set(TABLES[table].column_names)
        self.rows.setdefault(table, []).append(cells)

    def number(
        self,
        asset: str,
        owner: str,
        quantity: str,
        value: float,
        sigma: float | None,
        subject: str = "",
        kelvin: float | None = None,
        shifts: Mapping[str, float] | None = None,
    ) -> int:
        """Add a number of a film or series, and return its result_id."""
        self._next += 1
        is_film = owner in self.films_of_series
        self.numbers.setdefault(asset, []).append(
            {
                "result_id": self._next,
                "entity_id": sum(map(ord, asset)),
                "growth_id": owner if is_film else None,
                "series": None if is_film else owner,
                "quantity": quantity,
                "subject": subject,
                "temperature_k": kelvin,
                "value": value,
                "sigma": sigma,
            }
        )
        self.shifts.setdefault(asset, []).extend(
            {"result_id": self._next, "effect": effect, "shift": shift} for effect, shift in (shifts or {}).items()
        )
        return self._next

    def films(self, parameters: Any = None) -> Films:
        """Return it as an asset across films sees it."""
        return Films(
            parameters,
            1,
            lambda name: pd.DataFrame(self.rows.get(name, []), columns=TABLES[name].column_names),
            lambda asset: pd.DataFrame(self.numbers.get(asset, [])),
            lambda asset: pd.DataFrame(self.shifts.get(asset, [])),
        )
