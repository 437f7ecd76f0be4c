"""Tables of a campaign, as the rooms write them, drawn from the simulated films' true curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from rutile_assets.provenance.film import Films, Outcome
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.results.film_transport import ConductivityParameters
from rutile_assets.simulation import truth
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED

NOMINAL_NM = {
    UNCAPPED: (1.5, 2.1, 2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2),
    TRILAYER: (1.5, 1.9, 2.5, 3.1, 3.8, 5.0, 7.0),
}
SCATTER = 0.02  # of the true thickness about the nominal one
ADSORBATE_NM = 0.08
Density = Callable[[str, float], float]


def campaign(
    seed: int,
    thickness_std_nm: float,
    relative_std: float,
    temperatures_k: tuple[float, ...] = (300.0,),
    relaxation_std: float = 0.01,
    shared_nm: float = 0.0,
    density: Density = truth.sheet_density_per_cm2,
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the tables and the numbers that `films` serves: seven trilayers and twelve films of one campaign."""
    rng = np.random.default_rng(seed)
    common = rng.normal()
    grown, layers, sheet, hall, xrr, rsm, effects = [], [], [], [], [], [], []
    for series, nominal in NOMINAL_NM.items():
        for t_nominal in nominal:
            name, file_id = f"{series[:2]}-{t_nominal:g}", len(grown) + 1
            true = t_nominal * (1.0 + SCATTER * rng.normal())
            shift = shared_nm if series == UNCAPPED else 0.0  # a cap keeps air off the film
            measured = true + thickness_std_nm * rng.normal() + common * shift
            grown.append({"growth_id": name, "series": series, "substrate_material": "TiO2"})
            layers.append({"growth_id": name, "material": "RuO2", "nominal_thickness_nm": t_nominal})
            xrr.append(_number(file_id, name, "thickness_nm", measured, thickness_std_nm, "RuO2"))
            if shift:
                effects.append({"result_id": file_id, "effect": "adsorbate", "shift": shift})
            for k, kelvin in enumerate(sorted(temperatures_k), start=1):
                at = {"growth_id": name, "file_id": file_id, "temperature_index": k, "temperature_k": kelvin}
                conducts = truth.sigma_2d_s(series, true, kelvin) * (1.0 + relative_std * rng.normal())
                carriers = density(series, true) * (1.0 + relative_std * rng.normal())
                mobility = conducts / (truth.ELEMENTARY_CHARGE_C.value * carriers)
                sheet.append(at | _measured("sigma_2d_s", conducts, relative_std))
                hall.append(
                    at
                    | _measured("sheet_density_per_cm2", carriers, relative_std)
                    | _measured("mobility_cm2_per_vs", mobility, np.sqrt(2.0) * relative_std)
                )
            if series == UNCAPPED:
                for i, direction in enumerate(("001", "1m10")):
                    relaxed = truth.relaxation(true)[i] + relaxation_std * rng.normal()
                    name_of = f"relaxation_{direction}_fraction"
                    rsm.append(_number(1000 * (i + 1) + file_id, name, name_of, relaxed, relaxation_std, "RuO2"))
    tables = {
        "growth": pd.DataFrame(grown),
        "growth_layer": pd.DataFrame(layers),
        "transport_sheet": pd.DataFrame(sheet),
        "transport_hall": pd.DataFrame(hall),
        "systematics of xrr_fit": pd.DataFrame(effects, columns=["result_id", "effect", "shift"]),
    }
    return tables, {"xrr_fit": pd.DataFrame(xrr), "rsm_fit": pd.DataFrame(rsm)}


def run(
    asset: Asset,
    tables: Mapping[str, pd.DataFrame],
    numbers: Mapping[str, pd.DataFrame],
    parameters: ConductivityParameters | None = None,
) -> Outcome:
    """Compute an asset that spans films from tables alone, and check its rows as the lake would."""
    empty = pd.DataFrame(columns=["result_id", "effect", "shift"])
    films = Films(
        parameters or ConductivityParameters(),
        1,
        tables.__getitem__,
        lambda name: numbers.get(name, pd.DataFrame()),
        lambda name: tables.get(f"systematics of {name}", empty),
    )
    outcome = asset.compute(films)
    for table in asset.writes:
        if table.name in outcome.tables:
            table.frame(outcome.tables[table.name].assign(entity_id=1))
    if asset.figure is not None:
        asset.figure(films, outcome)
    return outcome


def _measured(name: str, value: float, relative: float) -> dict[str, float]:
    return {name: value, f"{name}_std": relative * value}


def _number(result_id: int, name: str, quantity: str, value: float, std: float, material: str) -> dict[str, object]:
    return {
        "result_id": result_id,
        "growth_id": name,
        "series": None,
        "quantity": quantity,
        "subject": "",
        "material": material,
        "temperature_k": np.nan,
        "value": value,
        "sigma": std,
        "sigma_statistical": std,
    }
