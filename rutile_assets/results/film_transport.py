"""Conductance, density and mobility of each film beside its thickness, with what films share kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.provenance.film import Films
from rutile_assets.results.thickness import Thicknesses

FloatArray = npt.NDArray[np.float64]

SAME_TEMPERATURE_RATIO, SAME_TEMPERATURE_K = 0.02, 0.5
SHARED = "shared thickness"


@dataclass(frozen=True)
class ConductivityParameters:
    """What reflectivity does not say of thickness errors.

    Parameters
    ----------
    nominal_std_ratio : float
        Relative error of a nominal thickness, where a film has no reflectivity.
    thickness_own_nm, thickness_shared_nm : float
        Errors beside those that reflectivity states: film by film, and of all films together [nm].
    """

    nominal_std_ratio: float = 0.05
    thickness_own_nm: float = 0.0
    thickness_shared_nm: float = 0.0


@dataclass(frozen=True)
class FilmPoints:
    """Films of one series at one temperature.

    Parameters
    ----------
    series : str
        Its name.
    temperature_k : float
        Median of the films' temperatures [K].
    rows : DataFrame
        One film a row, thin to thick: growth_id, thickness_nm, thickness_std_nm (its own), sigma_2d_s,
        sheet_density_per_cm2, mobility_cm2_per_vs and their ``_std``.
    shifts_nm : dict of str to ndarray
        Effect -> (N,) one-sigma shifts of the thicknesses, in the order of the rows [nm].
    """

    series: str
    temperature_k: float
    rows: pd.DataFrame
    shifts_nm: dict[str, FloatArray]

    @property
    def label(self) -> str:
        """The temperature as people call it: 300 K, 1.8 K."""
        return f"{round(self.temperature_k, 1):g} K"

    def values(self, name: str) -> FloatArray:
        """Return a column, (N,)."""
        return self.rows[name].to_numpy(dtype=float)


def film_points(films: Films, known: Thicknesses, own_std_nm: float, shared_std_nm: float) -> Iterator[FilmPoints]:
    """Yield every series at every temperature.

    Parameters
    ----------
    films : Films
        Reads ``transport_sheet`` and ``transport_hall``.
    known : Thicknesses
        Of the films.
    own_std_nm, shared_std_nm : float
        Errors of a thickness beside those that reflectivity states: film by film, and of all films together [nm].
    """
    sheet, hall = films.table("transport_sheet"), films.table("transport_hall")
    sheet = sheet.assign(temperature_label=grouped(sheet.temperature_k), place=pd.factorize(sheet.file_id)[0])
    halls = hall[["file_id", "temperature_k", *_estimated("sheet_density_per_cm2"), *_estimated("mobility_cm2_per_vs")]]
    near = sheet.merge(halls, on="file_id", how="left", suffixes=("", "_hall"))
    off = (near.temperature_k - near.temperature_k_hall).abs()
    apart = off > np.maximum(SAME_TEMPERATURE_K, SAME_TEMPERATURE_RATIO * near.temperature_k)
    for name in (*_estimated("sheet_density_per_cm2"), *_estimated("mobility_cm2_per_vs")):
        near[name] = near[name].where(~apart)
    near = near.assign(off=off.fillna(np.inf)).sort_values(
        ["place", "temperature_k", "off"], ascending=[True, True, False], kind="stable"
    )
    near = near.drop_duplicates(["growth_id", "temperature_label"], keep="last")
    joined = near.merge(known.rows, left_on="growth_id", right_index=True)
    for (series, _), here in joined.groupby(["series", "temperature_label"], sort=True):
        rows = here.sort_values("thickness_nm").reset_index(drop=True)
        rows["thickness_std_nm"] = np.hypot(rows.statistical_std_nm.astype(float), own_std_nm)
        shifts = {str(e): known.shifts_nm.loc[rows.growth_id, e].to_numpy(dtype=float) for e in known.shifts_nm.columns}
        if shared_std_nm > 0:
            shifts[SHARED] = np.full(len(rows), shared_std_nm)
        yield FilmPoints(str(series), float(rows.temperature_k.median()), rows, shifts)


def grouped(temperature_k: pd.Series[float]) -> npt.NDArray[np.int64]:
    """Return (N,) numbers of groups of temperatures that films were measured at together, from the coldest."""
    values = temperature_k.to_numpy(dtype=float)
    order = np.argsort(values)
    gaps = np.diff(values[order])
    wide = np.maximum(SAME_TEMPERATURE_K, SAME_TEMPERATURE_RATIO * values[order][1:])
    labels = np.empty(len(values), dtype=np.int64)
    labels[order] = np.concatenate([[0], np.cumsum(gaps > wide)]) if len(values) else []
    return labels


def estimated_row(name: str, value: float | None, std: float | None, source: str = "covariance") -> dict[str, object]:
    """Return the three columns of an estimated quantity."""
    return {name: value, f"{name}_std": std, f"{name}_std_source": None if std is None else source}


def _estimated(name: str) -> tuple[str, str]:
    return name, f"{name}_std"
