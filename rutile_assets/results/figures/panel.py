"""A panel: what it shows, in words and as a drawing, or what it lacks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from rutile_assets.provenance.film import Films
from rutile_assets.results.passport.numbers import measured

Draw = Callable[[FigureBase], None]
IDS = ("entity_id", "file_id", "result_id")  # so end columns that differ from home to home


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Parameters
    ----------
    title : str
        What it is, in a few words.
    assets : tuple of str
        Whose tables it shows.
    caption, alt : str
        What stands below it, and what it says to whom cannot see it.
    growth_ids : tuple of str
        The films that it shows.
    is_simulated : bool
        Whether any of them is.
    digest : str
        Of all that is drawn.
    draw : callable or None
        Draws it into a figure or a part of one.
    lacks : str
        Where it cannot be drawn: what is missing.
    """

    title: str
    assets: tuple[str, ...]
    caption: str = ""
    alt: str = ""
    growth_ids: tuple[str, ...] = ()
    is_simulated: bool = False
    digest: str = ""
    draw: Draw | None = field(default=None, compare=False)
    lacks: str = ""


def lacking(title: str, assets: Sequence[str], words: str) -> Panel:
    """Return a panel that says what it lacks."""
    return Panel(title, tuple(assets), digest=digest_of(words), lacks=words)


def digest_of(*parts: object) -> str:
    """Return a digest of tables, arrays and plain values that does not depend on ids."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, pd.DataFrame):
            kept = part[[name for name in part.columns if not name.endswith(IDS)]]
            digest.update(repr(list(kept.columns)).encode())
            digest.update(pd.util.hash_pandas_object(kept.astype(object), index=False).to_numpy().tobytes())
        elif isinstance(part, np.ndarray):
            digest.update(repr((part.dtype.str, part.shape)).encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:20]


def simulated(films: Films, growth_ids: Iterable[str]) -> bool:
    """Tell whether any of these films is simulated."""
    growth = films.table("growth")
    made = set(growth.growth_id[growth.origin == "simulated"])
    return bool(made & set(growth_ids))


def nearest_film(
    films: Films, rows: pd.DataFrame, series: str, thickness_nm: float, material: str = "RuO2"
) -> str | None:
    """Return the film with rows in a table whose layer was meant to be nearest to a thickness.

    Parameters
    ----------
    films : Films
        Reads ``growth`` and ``growth_layer``.
    rows : DataFrame
        Has growth_id.
    series : str
        Films of this series come first, others only where it has none.
    thickness_nm : float
        Of the layer [nm].
    material : str
        Of the layer.
    """
    growth, layers = films.table("growth"), films.table("growth_layer")
    mine = layers[(layers.material == material) & layers.growth_id.isin(set(rows.growth_id))]
    if mine.empty:
        return None
    joined = mine.merge(growth[["growth_id", "series"]], on="growth_id")
    off = (joined.nominal_thickness_nm.astype(float) - thickness_nm).abs()
    order = joined.assign(other=joined.series != series, off=off).sort_values(["other", "off", "growth_id"])
    return str(order.growth_id.iloc[0])


def numbers_of(films: Films, asset: str, growth_id: str, quantity: str) -> dict[str, str]:
    """Return a film's numbers of a quantity as people write them, all their errors in sigma, by subject."""
    numbers = films.numbers(asset)
    if numbers.empty:
        return {}
    mine = numbers[(numbers.growth_id == growth_id) & (numbers.quantity == quantity)].sort_values("result_id")
    return {
        str(row["subject"]): measured(float(row["value"]), None if pd.isna(row["sigma"]) else float(row["sigma"]))
        for row in mine.to_dict("records")
    }


def stack_words(films: Films, growth_id: str) -> str:
    """Return a film's layers from the surface down with the thicknesses that were meant, as in captions."""
    layers = films.table_of("growth_layer", growth_id).sort_values("layer_index", ascending=False)
    growth = films.table_of("growth", growth_id)
    parts = [f"{row['nominal_thickness_nm']:g} nm {spelled(row['material'])}" for row in layers.to_dict("records")]
    substrate = [spelled(str(one)) for one in growth.substrate_material.dropna()]
    return " / ".join([*parts, *substrate])


def spelled(formula: str) -> str:
    """Return a formula or series with its numbers set low.

    Examples
    --------
    >>> spelled("TiO2/RuO2/TiO2")
    'TiO₂/RuO₂/TiO₂'
    """
    low = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    return "".join(
        character.translate(low)
        if place and (formula[place - 1].isalpha() or formula[place - 1].isdigit())
        else character
        for place, character in enumerate(formula)
    )
