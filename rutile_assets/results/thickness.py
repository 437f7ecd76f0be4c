"""The thickness of each film's one foreign layer, by reflectivity, with the errors that films share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.provenance.film import Films

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Thicknesses:
    """Thicknesses of films.

    Parameters
    ----------
    rows : DataFrame
        Index growth_id; ``series``, ``substrate_material``, ``material``, ``thickness_nm``, ``statistical_std_nm``,
        ``is_measured`` (else nominal).
    shifts_nm : DataFrame
        Index growth_id, a column for each named effect: its one-sigma shift [nm]; one effect moves all films together.
    """

    rows: pd.DataFrame
    shifts_nm: pd.DataFrame

    def covariance(self, growth_ids: list[str]) -> FloatArray:
        """Return the (F, F) covariance of films' thicknesses [nm^2]."""
        own = self.rows.loc[growth_ids, "statistical_std_nm"].to_numpy(dtype=float)
        shifts = self.shifts_nm.reindex(growth_ids).fillna(0.0).to_numpy(dtype=float)
        return np.asarray(np.diag(own**2) + shifts @ shifts.T)

    def std(self, growth_id: str) -> float:
        """Return one film's total error [nm]."""
        return float(np.sqrt(self.covariance([growth_id])[0, 0]))


def thicknesses(films: Films, nominal_std_ratio: float) -> Thicknesses:
    """Return the thickness of every film with one layer that is not of the substrate's material.

    Parameters
    ----------
    films : Films
        Reads ``growth`` and ``xrr_fit``.
    nominal_std_ratio : float
        Relative error of a nominal thickness, where reflectivity has none.
    """
    growth, layers = films.table("growth"), films.table("growth_layer")
    known = layers.merge(growth[["growth_id", "series", "substrate_material"]], on="growth_id")
    foreign = known[known.material != known.substrate_material].drop_duplicates("growth_id", keep=False)
    numbers, effects = films.numbers("xrr_fit"), films.systematics("xrr_fit")
    if numbers.empty:
        numbers = pd.DataFrame(columns=["growth_id", "material", "quantity", "value", "result_id", "sigma_statistical"])
    measured = numbers[numbers.quantity == "thickness_nm"].sort_values("result_id")
    measured = measured.drop_duplicates(["growth_id", "material"], keep="last")
    columns = ["growth_id", "material", "value", "sigma_statistical", "result_id"]
    joined = foreign.merge(measured[columns], on=["growth_id", "material"], how="left")
    nominal = joined.nominal_thickness_nm.astype(float)
    rows = joined.assign(
        thickness_nm=joined.value.astype(float).fillna(nominal),
        statistical_std_nm=joined.sigma_statistical.astype(float).fillna(nominal * nominal_std_ratio),
        is_measured=joined.value.notna(),
    ).set_index("growth_id")
    shifts = pd.DataFrame(index=rows.index)
    if not effects.empty:
        mine = effects.merge(joined[["growth_id", "result_id"]], on="result_id")
        shifts = mine.pivot_table(index="growth_id", columns="effect", values="shift", aggfunc="sum").reindex(
            rows.index
        )
    keep = ["series", "substrate_material", "material", "thickness_nm", "statistical_std_nm", "is_measured"]
    return Thicknesses(rows[keep], shifts.fillna(0.0))
