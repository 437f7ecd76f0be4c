"""What the flags are judged by: the films' stacks, the lake's numbers, and findings as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import pandas as pd

from rutile_assets.provenance.film import Films
from rutile_assets.results.consistency_flags import FLAGS
from rutile_assets.results.numbers import Judgement, LakeNumbers, Number

READS = (
    "growth", "xrr_fit", "xrd_fit", "rsm_fit", "afm_roughness", "kpfm_potential", "ups_fit", "shg_fit", "shg_trend",
    "transport_sheet", "transport_hall", "displacement_plane", "work_function", "conductivity", "carriers", "onset",
)  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """A film as it was meant.

    Parameters
    ----------
    growth_id, series, substrate : str
        The film, its series, and its substrate's material.
    material, layer : str or None
        The one layer that is not of the substrate's material, and its subject in ``result`` such as "1 RuO2"; None
        where there is no such layer, or several.
    top, cap : str or None
        Subject of the uppermost layer, and of the layer of the substrate's material above `layer`.
    nominal_nm : float or None
        Thickness of `layer` as it was meant [nm].
    is_simulated : bool
        Whether its data are simulated.
    """

    growth_id: str
    series: str
    substrate: str
    material: str | None
    layer: str | None
    top: str | None
    cap: str | None
    nominal_nm: float | None
    is_simulated: bool


@dataclass(frozen=True)
class Finding:
    """A flag judged once.

    Parameters
    ----------
    flag : int
        A key of `FLAGS`.
    judged : str
        The film or series.
    growth_id : str or None
        The film, where it is one.
    series : str
        The series.
    comparison : str
        What is compared, within the flag.
    judgement : Judgement
        Both numbers and the verdict.
    """

    flag: int
    judged: str
    growth_id: str | None
    series: str
    comparison: str
    judgement: Judgement

    @property
    def sentence(self) -> str:
        """The finding in words, for a check."""
        left, right = self.judgement.left, self.judgement.right
        what = f"{self.judged} {self.comparison}".strip()
        pair = " against ".join(f"{n.name} {told(n)}" for n in (left, right) if n is not None)
        return f"{what}: {pair} {self.judgement.verdict}. {self.judgement.note}".strip()

    def row(self, *, is_simulated: bool) -> dict[str, object]:
        """Return the row of ``consistency``."""
        flag, judged = FLAGS[self.flag], self.judgement
        off, std = judged.difference, judged.difference_std
        units = {n.unit for n in (judged.left, judged.right) if n is not None}
        return {
            "flag_number": flag.number,
            "flag_name": flag.name,
            "judged": self.judged,
            "growth_id": self.growth_id,
            "series": self.series,
            "comparison": self.comparison,
            "flag_rule": flag.rule,
            **_side("left", judged.left),
            **_side("right", judged.right),
            "reading_unit": units.pop() if len(units) == 1 else None,
            "difference_reading": off,
            "difference_sigma_reading": std,
            "difference_in_sigma_pull": off / std if off is not None and std else None,
            "flag_verdict": judged.verdict,
            "is_simulated": is_simulated,
            "notes": judged.note,
        }


def told(number: Number) -> str:
    """Return a number with its error and unit in words."""
    std = f" +- {number.std:.2g}" if number.std > 0 else ""
    return f"{number.value:.4g}{std} {number.unit}".strip()


@dataclass(frozen=True)
class Evidence:
    """All that the flags ask.

    Parameters
    ----------
    numbers : LakeNumbers
        Of the assets of `READS`.
    stacks : dict of str to Stack
        By film.
    table : callable
        Name -> current rows, read once.
    """

    numbers: LakeNumbers
    stacks: Mapping[str, Stack]
    table: Callable[[str], pd.DataFrame]

    @cached_property
    def _by_film(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        return {}

    def rows(self, table: str, film: str) -> list[dict[str, Any]]:
        """Return the rows of a film, in the table's order."""
        if table not in self._by_film:
            groups = self.table(table).groupby("growth_id")
            self._by_film[table] = {
                str(name): [{str(k): v for k, v in row.items()} for row in group.to_dict("records")]
                for name, group in groups
            }
        return self._by_film[table].get(film, [])

    @cached_property
    def references(self) -> set[str]:
        """Films that set the scale of work functions."""
        named = self.table("work_function").reference_growth_id.dropna()
        return {film for names in named for film in str(names).split()}

    @cached_property
    def series(self) -> list[str]:
        """Series that have a foreign layer."""
        return sorted({s.series for s in self.stacks.values() if s.layer})

    def capped(self, series: str) -> str | None:
        """Return the series with the same stack under a cap of the substrate's material, where the lake has it."""
        name = f"{series.rpartition('/')[2]}/{series}"
        return name if name in self.series else None

    def thickness(self, stack: Stack) -> Number | None:
        """Return the foreign layer's thickness by reflectivity [nm]."""
        if stack.layer is None:
            return None
        return self.numbers.find("xrr_fit", stack.growth_id, "thickness_nm", "XRR thickness", stack.layer)

    def thickness_nm(self, stack: Stack) -> float | None:
        """Return the foreign layer's thickness by reflectivity, else the nominal one; 0 of a bare substrate [nm]."""
        if stack.layer is None:
            return 0.0 if stack.top is None else None
        measured = self.thickness(stack)
        return stack.nominal_nm if measured is None else measured.value

    def is_simulated(self, series: str) -> bool:
        """Tell whether any film of the series, or of the same stack with or without a cap, is simulated."""
        related = [s for s in self.stacks.values() if s.series == series or self.capped(s.series) == series]
        return any(s.is_simulated for s in related)


def evidence(films: Films) -> Evidence:
    """Return the evidence that the lake has now.

    Parameters
    ----------
    films : Films
        Reads the assets of `READS`.
    """
    table = cache(films.table)
    growth, layers = table("growth"), table("growth_layer")
    by_film = dict(tuple(layers.sort_values("layer_index").groupby("growth_id"))) if len(layers) else {}
    stacks = {}
    for row in growth.to_dict("records"):
        mine = by_film.get(row["growth_id"])
        records = [] if mine is None else mine.to_dict("records")
        substrate = str(row["substrate_material"])
        named = [(int(r["layer_index"]), str(r["material"])) for r in records if int(r["layer_index"]) > 0]
        nominal = {int(r["layer_index"]): float(r["nominal_thickness_nm"]) for r in records}
        foreign = [(i, m) for i, m in named if m != substrate]
        alone = foreign[0] if len(foreign) == 1 else None
        above = [(i, m) for i, m in named if alone and i > alone[0] and m == substrate]
        stacks[str(row["growth_id"])] = Stack(
            growth_id=str(row["growth_id"]),
            series=str(row["series"]) if pd.notna(row["series"]) else "",
            substrate=substrate,
            material=alone[1] if alone else None,
            layer=f"{alone[0]} {alone[1]}" if alone else None,
            top=f"{named[-1][0]} {named[-1][1]}" if named else None,
            cap=f"{above[0][0]} {above[0][1]}" if above else None,
            nominal_nm=nominal[alone[0]] if alone else None,
            is_simulated=str(row.get("origin")) == "simulated",
        )
    return Evidence(LakeNumbers(films, READS), stacks, table)


def _side(side: str, number: Number | None) -> dict[str, object]:
    if number is None:
        return dict.fromkeys(
            (f"{side}_name", f"{side}_reading", f"{side}_sigma_reading", f"{side}_result_id"), None
        )  # fmt: skip
    known = pd.notna(number.std)
    return {
        f"{side}_name": number.name,
        f"{side}_reading": number.value,
        f"{side}_sigma_reading": number.std if known else None,
        f"{side}_result_id": number.result_id,
    }
