"""Tables of everything that the figures show, made by the rooms across films from campaigns of tables, no lake."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import transport_campaign
import work_function_campaigns
from fitted_stacks import Drawn
from flag_lake import BARE, CAPPED, FlagLake

from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.reciprocal import reflection
from rutile_assets.provenance.film import Films
from rutile_assets.results.claims import claims
from rutile_assets.results.conductivity import carriers, conductivity
from rutile_assets.results.displacement import displacement_plane
from rutile_assets.results.work_function import WorkFunctionParameters, work_function
from rutile_assets.rooms import all_tables

TABLES = {table.name: table for table in all_tables()}
IMAGED = "g"  # the film of `Drawn`
KELVIN = (300.0,)


@dataclass
class FigureLake:
    """Tables and numbers that a test takes from and adds to; a table that is not there is empty."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    numbers: dict[str, pd.DataFrame] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)

    def films(self) -> Films:
        """Return it as a figure sees it."""
        return Films(
            None, 1, self._table, lambda asset: self.numbers.get(asset, pd.DataFrame()), lambda _: pd.DataFrame(),
            read_array=self.arrays.__getitem__,
        )  # fmt: skip

    def _table(self, name: str) -> pd.DataFrame:
        empty = pd.DataFrame(columns=TABLES[name].column_names)
        found = self.tables.get(name)
        return empty if found is None else found.reindex(columns=TABLES[name].column_names)

    def add(self, name: str, rows: pd.DataFrame) -> None:
        """Add rows to a table."""
        here = self.tables.get(name)
        self.tables[name] = rows if here is None else pd.concat([here, rows], ignore_index=True)

    def without(self, *names: str) -> FigureLake:
        """Return a lake that lacks tables whose names begin so."""
        kept = {name: rows for name, rows in self.tables.items() if not name.startswith(names)}
        return FigureLake(kept, dict(self.numbers), dict(self.arrays))

    def measured(self) -> FigureLake:
        """Return the lake as if instruments had made it."""
        tables = dict(self.tables)
        tables["growth"] = tables["growth"].assign(origin="measured")
        tables["claims_benchmark"] = tables["claims_benchmark"].assign(is_simulated=False)
        return FigureLake(tables, dict(self.numbers), dict(self.arrays))


def figure_lake() -> FigureLake:
    """Return a lake with data for every panel."""
    whole = _made()
    return FigureLake(dict(whole.tables), dict(whole.numbers), dict(whole.arrays))


@cache
def _made() -> FigureLake:
    lake = FigureLake()
    for part in (_work_function, _transport, _images, _scans, _surface, _maps, _benchmark):
        part(lake)
    return lake


def _work_function(lake: FigureLake) -> None:
    campaign = work_function_campaigns.draw(3)
    outcome = work_function.compute(campaign.films(WorkFunctionParameters(draws_count=300)))
    for name, rows in outcome.tables.items():
        lake.add(name, rows)
    lake.add("growth", campaign.tables["growth"])
    lake.add("growth_layer", campaign.tables["growth_layer"].assign(layer_index=1))
    lake.numbers["ups_fit"] = campaign.numbers["ups_fit"].assign(sigma=0.045, subject="")


def _transport(lake: FigureLake) -> None:
    tables, numbers = transport_campaign.campaign(5, 0.05, 0.02, KELVIN)
    for asset in (conductivity, carriers):
        for name, rows in transport_campaign.run(asset, tables, numbers).tables.items():
            lake.add(name, rows)
    lake.add("growth", tables["growth"].assign(origin="simulated"))
    lake.add("growth_layer", tables["growth_layer"].assign(layer_index=1))
    field_t = np.linspace(0.1, 9.0, 40)
    film = "Ti-1.9"
    hall = tables["transport_hall"]
    slope = {"hall_slope_ohm_per_t": -0.33, "hall_slope_ohm_per_t_std": 1e-4}
    lake.add("transport_hall", hall[hall.growth_id == film].assign(**slope))
    curve = {
        "growth_id": film, "file_id": hall[hall.growth_id == film].file_id.iloc[0], "temperature_index": 1,
        "temperature_k": 300.0, "point_index": range(1, 41), "field_t": field_t, "model_ohm": -0.33 * field_t,
        "odd_part_ohm": -0.33 * field_t + 0.004 * np.cos(7.0 * field_t),
    }  # fmt: skip
    lake.add("transport_hall_curve", pd.DataFrame(curve))


def _images(lake: FigureLake) -> None:
    film = Drawn(9.0).film(2)
    for name, rows in displacement_plane.compute(film).tables.items():
        lake.add(name, rows.assign(growth_id=IMAGED))
    for name in ("atom_column", "atom_column_image"):
        lake.add(name, film.table(name))
    assert film.read_array is not None
    for reference in ("covariance", "parts"):
        lake.arrays[reference] = film.read_array(reference)
    wide = 10.0 * film.table("atom_column")[["column_y_nm", "column_x_nm"]].max().to_numpy(dtype=float) + 1.0
    y, x = np.mgrid[0 : wide[0] : 0.126, 0 : wide[1] : 0.126]
    lake.arrays["image"] = np.cos(2.0 * np.pi * y / 3.25) ** 2 * np.cos(2.0 * np.pi * x / 3.25) ** 2
    lake.add("growth", pd.DataFrame([_growth(IMAGED, CAPPED)]))
    layers = [_layer(IMAGED, 1, "TiO2", 2.5), _layer(IMAGED, 2, "RuO2", 3.8), _layer(IMAGED, 3, "TiO2", 2.5)]
    lake.add("growth_layer", pd.DataFrame(layers))


def _scans(lake: FigureLake) -> None:
    angle = np.linspace(0.4, 8.0, 300)
    rate = 1e7 * np.exp(-2.0 * angle) * (1.2 + np.cos(9.0 * angle)) + 2.0
    common = {"growth_id": IMAGED, "file_id": 11, "point_index": range(1, 301)}
    noisy = np.random.default_rng(1).poisson(rate).astype(float)
    reflected = {"two_theta_deg": angle, "measured_counts_per_s": noisy, "fitted_counts_per_s": rate}
    residual = (noisy - rate) / np.sqrt(rate)
    lake.add("xrr_fit_curve", pd.DataFrame({**common, **reflected, "residual": residual}))
    lake.add("xrr_fit", pd.DataFrame([{"growth_id": IMAGED, "file_id": 11, "reduced_chi_square": 1.02}]))
    about = np.concatenate([np.linspace(21.0, 27.2, 150), np.linspace(27.6, 34.0, 150)])
    diffracted = {"two_theta_deg": about, "measured_counts_per_s": 1e4 / (about - 27.4) ** 2,
                  "fitted_counts_per_s": 1.01e4 / (about - 27.4) ** 2}  # fmt: skip
    lake.add("xrd_fit_curve", pd.DataFrame({**common, **diffracted}))
    lake.add("xrd_fit", pd.DataFrame([{"growth_id": IMAGED, "file_id": 11, "layer_index": 2, "material": "RuO2"}]))
    lake.numbers["xrr_fit"] = pd.DataFrame([_number(1, "thickness_nm", "2 RuO2", 3.83, 0.012)])
    lake.numbers["xrd_fit"] = pd.DataFrame(
        [_number(2, "planes_count", "2 RuO2", 11.9, 0.02), _number(3, "plane_spacing_nm", "2 RuO2", 0.3225, 0.0001)]
    )


def _surface(lake: FigureLake) -> None:
    y, x = np.mgrid[0:64, 0:64]
    lake.arrays["height"] = 0.1 * np.sin(0.3 * x) + 0.05 * np.cos(0.2 * y)
    image = {"growth_id": IMAGED, "file_id": 12, "channel_index": 1, "scan_size_x_nm": 2000.0, "scan_size_y_nm": 2000.0,
             "array": "height"}  # fmt: skip
    lake.add("afm_image", pd.DataFrame([image]))
    quoted = {"growth_id": IMAGED, "file_id": 12, "channel_index": 1, "levelling": "plane", "is_default": True}
    lake.add("afm_roughness", pd.DataFrame([quoted]))
    lake.numbers["afm_roughness"] = pd.DataFrame([_number(4, "roughness_sq_pm", "", 155.0, 3.0)])


def _maps(lake: FigureLake) -> None:
    place = reflection(rutile("TiO2", "boman_1970"), (3, 3, 2))
    across, up = np.meshgrid(np.linspace(-0.25, 0.2, 30), np.linspace(-0.2, 0.3, 34))
    keep = np.hypot(across, up) > 0.05
    across, up = across[keep], up[keep]
    for at, film in enumerate(("F-3.9", "F-6.5")):
        moved = 0.06 * at
        rate = 1e3 * np.exp(-((across + moved) ** 2) / 2e-4 - (up - 0.05) ** 2 / 5e-3) + 1.0
        points = {
            "growth_id": film, "file_id": 20 + at, "point_index": range(1, len(across) + 1),
            "q_in_plane_per_angstrom": place.parallel + across, "q_normal_per_angstrom": place.q_110 + up,
            "measured_counts_per_s": np.round(rate), "fitted_counts_per_s": rate,
        }  # fmt: skip
        lake.add("rsm_fit_point", pd.DataFrame(points))
        fit = {
            "growth_id": film, "file_id": 20 + at, "component_index": 1, "reflection": "332", "lattices": "boman_1970",
            "substrate_q_001_per_angstrom": place.parallel, "substrate_q_1m10_per_angstrom": 0.0,
            "substrate_q_110_per_angstrom": place.q_110, "q_parallel_per_angstrom": place.parallel - moved,
            "q_parallel_per_angstrom_std": 1e-3, "q_110_per_angstrom": place.q_110 + 0.05,
            "q_110_per_angstrom_std": 1e-3,
        }  # fmt: skip
        lake.add("rsm_fit", pd.DataFrame([fit]))
    lake.numbers["rsm_fit"] = pd.DataFrame(
        [_number(5, "relaxation_001_fraction", "", 0.0, 0.02) | {"growth_id": "F-3.9"}]
    )


def _benchmark(lake: FigureLake) -> None:
    numbers = FlagLake()
    for thickness_nm, phi_ev in ((1.5, 4.25), (3.5, 5.4)):
        numbers.number("work_function", numbers.film_near(BARE, thickness_nm), "work_function_kpfm_ev", phi_ev, 0.01)
    lake.add("claims_benchmark", claims.compute(numbers.films()).tables["claims_benchmark"])


def _growth(growth_id: str, series: str) -> dict[str, object]:
    return {"growth_id": growth_id, "series": series, "substrate_material": "TiO2", "origin": "simulated"}


def _layer(growth_id: str, index: int, material: str, nominal_nm: float) -> dict[str, object]:
    return {"growth_id": growth_id, "layer_index": index, "material": material, "nominal_thickness_nm": nominal_nm}


def _number(result_id: int, quantity: str, subject: str, value: float, sigma: float) -> dict[str, object]:
    return {
        "growth_id": IMAGED, "series": None, "result_id": result_id, "quantity": quantity, "subject": subject,
        "value": value, "sigma": sigma,
    }  # fmt: skip
