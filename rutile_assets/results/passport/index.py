"""Rows of the index of films and what its search looks through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rutile_assets.results.passport.numbers import concise, measured

# what the index shows of each film: quantity, heading, unit, and the subjects in order of preference
INDEX_QUANTITIES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("total_thickness_nm", "thickness", "nm", ("",)),
    ("roughness_sq_pm", "Sq", "pm", ("",)),
    ("work_function_kpfm_ev", "work function", "eV", ("",)),
    ("sheet_resistance_ohm", "R sheet, 300 K", "Ω", ("300 K",)),
    ("mobility_cm2_per_vs", "mobility, 300 K", "cm²/Vs", ("300 K",)),
)


def index_rows(
    films: Sequence[Mapping[str, Any]], growths: Mapping[str, Mapping[str, Any]], numbers: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return one row a film: the view film_passport, its series and the numbers of the index."""
    of_film: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for number in numbers:
        of_film[number["growth_id"]][number["quantity"]].append(number)
    rows = []
    for film in films:
        series = growths.get(film["growth_id"], {}).get("series") or ""
        found = of_film[film["growth_id"]]
        shown = [_chosen(found.get(name, []), subjects) for name, _, _, subjects in INDEX_QUANTITIES]
        rows.append({**film, "series": series, "shown": shown})
    return rows


def summary(numbers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the numbers of the index that a film has: heading, unit, text and the number's row."""
    found = []
    for quantity, heading, unit, subjects in INDEX_QUANTITIES:
        one = _chosen([n for n in numbers if n["quantity"] == quantity], subjects)
        if one is not None:
            found.append({"heading": heading, "unit": unit, **one})
    return found


def searchable(numbers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Return the values of each quantity of each film, that ``total_thickness_nm > 3`` is asked of."""
    by_quantity: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in numbers:
        by_quantity[number["quantity"]][number["growth_id"]].append(float(f"{number['value']:.6g}"))
    return {quantity: dict(films) for quantity, films in by_quantity.items()}


def _chosen(numbers: Sequence[Mapping[str, Any]], subjects: Sequence[str]) -> dict[str, Any] | None:
    """Return the number of the first subject that there is, else the only one, else None."""
    for subject in subjects:
        for number in numbers:
            if number["subject"] == subject:
                return _shown(number)
    return _shown(numbers[0]) if len(numbers) == 1 and subjects == ("",) else None


def _shown(number: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "value": number["value"],
        "text": measured(number["value"], number["sigma"]),
        "concise": concise(number["value"], number["sigma"]),
        "result_id": number["result_id"],
    }
