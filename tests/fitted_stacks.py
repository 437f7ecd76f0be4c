"""A film whose fitted columns are drawn from a stack and a covariance: rows of the column room without an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from physics.displaced_stacks import D, Stack, covariance, stack

from rutile_assets.provenance.film import Film
from rutile_assets.results.displacement import DisplacementParameters
from rutile_assets.techniques.columns.tables import ATOM_COLUMN, ATOM_COLUMN_IMAGE, ATOM_COLUMN_NULL

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

CATION_PM, OXYGEN_PM = 0.8, 1.6


class Drawn:
    """A film whose fitted columns are drawn from a stack and a covariance."""

    def __init__(self, peak_pm: float, planes: tuple[int, int, int] = (6, 8, 6), rows: int = 8) -> None:
        self.made = stack(planes, rows, peak_pm)
        self.null = stack(planes, rows, 0.0)
        self.stated = covariance(self.made, CATION_PM, OXYGEN_PM)
        self.root = np.linalg.cholesky(self.stated.toarray())
        entries = self.stated.tocoo()
        self.packed = np.stack([entries.row, entries.col, entries.data]).astype(float)

    def film(
        self, seed: int, *, bias_pm: float = 0.0, pipeline: int = 0, is_known: bool = True, has_oxygen: bool = True
    ) -> Film:
        rng = np.random.default_rng(seed)
        keep = np.ones(len(self.made.plane), dtype=bool) if has_oxygen else ~self.made.is_oxygen
        seen = self._noisy(self.made, rng, bias_pm)
        store = {"covariance": self.packed, "image": np.zeros((4, 4))}
        rows = _rows(self.made, seen)[keep].assign(column_index=np.arange(1, keep.sum() + 1))
        if not has_oxygen:
            both = (2 * np.flatnonzero(keep)[:, None] + np.arange(2)).ravel()
            entries = self.stated[both][:, both].tocoo()
            store["covariance"] = np.stack([entries.row, entries.col, entries.data]).astype(float)
        halves = np.stack([seen + np.sqrt(2.0) * (self._noisy(self.made, rng) - self.made.positions) for _ in range(2)])
        store["parts"] = 0.1 * halves[:, keep]
        nulls = [self._null(rng, replicate, bias_pm) for replicate in range(1, 4)] if has_oxygen else []
        chain = [
            _rows(self.null, self._noisy(self.null, rng, bias_pm)).assign(replicate_index=k)
            for k in range(1, pipeline + 1)
        ]
        tables = {
            "atom_column": ATOM_COLUMN.frame(rows.assign(growth_id="g", entity_id=0, image_kind="ptychography")),
            "atom_column_image": ATOM_COLUMN_IMAGE.frame([_image(int(keep.sum()), has_oxygen, is_known)]),
            "atom_column_null": ATOM_COLUMN_NULL.frame(
                pd.concat(nulls) if nulls else pd.DataFrame(columns=ATOM_COLUMN_NULL.column_names)
            ),
            "null_column": pd.concat(chain) if chain else rows.iloc[:0].assign(replicate_index=0),
            "growth_layer": pd.DataFrame({"material": ["TiO2", "RuO2", "TiO2"]}),
            "xrr_fit_layer": pd.DataFrame([{"material": "RuO2", "thickness_nm": 2.61, "thickness_nm_std": 0.01}]),
            "xrd_fit": pd.DataFrame([{"material": "RuO2", "laue_thickness_nm": 3.2, "laue_thickness_nm_std": 0.03}]),
        }

        def keep_array(name: str, array: FloatArray, attributes: object) -> str:
            store[f"{name}/{len(store)}"] = array
            return f"{name}/{len(store) - 1}"

        return Film(
            "g",
            DisplacementParameters(0.0),
            seed,
            tables.__getitem__,
            read_array=store.__getitem__,
            store_array=keep_array,
        )

    def _noisy(self, made: Stack, rng: np.random.Generator, bias_pm: float = 0.0) -> FloatArray:
        """Positions with noise, and cations beside the interfaces drawn aside by what a fit would invent."""
        moved = made.positions + (self.root @ rng.standard_normal(len(self.root))).reshape(-1, 2)
        moved[np.isin(made.plane, [5, 6]), 0] += 0.01 * bias_pm
        moved[np.isin(made.plane, [13, 14]), 0] -= 0.01 * bias_pm
        return moved

    def _null(self, rng: np.random.Generator, replicate: int, bias_pm: float) -> pd.DataFrame:
        found = self._noisy(self.null, rng, bias_pm)
        return pd.DataFrame(
            {
                "growth_id": "g", "entity_id": 0, "file_id": 1, "replicate_index": replicate,
                "column_index": np.arange(1, len(found) + 1),
                "drawn_y_nm": 0.1 * self.null.positions[:, 0], "drawn_x_nm": 0.1 * self.null.positions[:, 1],
                "refitted_y_nm": 0.1 * found[:, 0], "refitted_x_nm": 0.1 * found[:, 1],
            }
        )  # fmt: skip


def _rows(made: Stack, seen: FloatArray) -> pd.DataFrame:
    std = 0.001 * np.where(made.is_oxygen, OXYGEN_PM, CATION_PM)
    cation = ~made.is_oxygen
    rows = pd.DataFrame(
        {
            "file_id": 1, "column_index": np.arange(1, len(seen) + 1),
            "element": np.where(made.is_oxygen, "O", np.where(made.is_ru, "Ru", "Ti")), "site": None,
            "plane_index": pd.array(np.where(cation, made.plane, 0), dtype="Int32"),
            "along_index": pd.array(np.where(cation, made.row, 0), dtype="Int32"),
            "column_y_nm": 0.1 * seen[:, 0], "column_y_nm_std": std, "column_y_nm_std_source": "covariance",
            "column_x_nm": 0.1 * seen[:, 1], "column_x_nm_std": std, "column_x_nm_std_source": "covariance",
            "height_ratio": np.where(made.is_oxygen, 0.5, np.where(made.is_ru, 1.59, 1.0)),
            "height_ratio_std": 0.01, "height_ratio_std_source": "covariance", "is_usable": True,
        }
    )  # fmt: skip
    rows.loc[~cation, ["plane_index", "along_index"]] = pd.NA
    wiggle = 1.0 + 0.01 * np.sin(np.arange(len(rows)))
    return rows.assign(height_ratio=rows.height_ratio * wiggle)


def _image(count: int, has_oxygen: bool, is_known: bool) -> dict[str, object]:
    return {
        "growth_id": "g", "entity_id": 0, "file_id": 1, "image_kind": "ptychography", "image_array": "image",
        "residual_array": "image", "position_covariance_array": "covariance", "part_positions_array": "parts",
        "half_positions_array": "parts", "half_variance_ratio": 2.0,
        "part_variance_ratio": 2.0, "image_pixel_nm": 0.0126, "plane_step_y_nm": 0.1 * D, "plane_step_x_nm": 0.0,
        "along_step_y_nm": 0.0, "along_step_x_nm": 0.1 * D, "image_scale_factor": 1.0,
        "image_scale_factor_std": 1e-3, "image_scale_factor_std_source": "covariance", "lattice_rms_pm": 1.0,
        "has_known_sign": is_known, "sign_source": "the test", "columns_count": count,
        "oxygen_columns_count": 2 * count // 3 if has_oxygen else 0, "edge_columns_count": 0, "core_cation_pm": 34.0,
        "core_oxygen_pm": 34.0, "peak_over_noise_ratio": 20.0, "image_reduced_chi_square": 1.0, "notes": "",
    }  # fmt: skip
