"""Campaigns as tables only: contact potentials under drifting tips, photoelectrons, thicknesses; and their truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from rutile_assets.physics.peaked_curve import curve as peaked
from rutile_assets.physics.work_function import baseline
from rutile_assets.provenance.film import Films
from rutile_assets.results.work_function import WorkFunctionParameters
from rutile_assets.simulation.truth import work_function_ev

SERIES = "RuO2/TiO2"
PEAK = 3.5
THICKNESSES = (1.5, 2.1, 2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2)
REFERENCE_NM = 5.2
LENGTH_NM = 5.0
POLAR = np.array([4.1, 0.2, 1.5, np.log(2.6), 4.2, np.log(0.6), -np.log(LENGTH_NM)])
IN_A_SESSION = 5
Curve = Callable[[np.ndarray], np.ndarray]


@cache
def _tabulated() -> tuple[np.ndarray, np.ndarray]:
    grid = np.linspace(0.0, 20.0, 8001)
    return grid, np.array([work_function_ev(t) for t in grid])


def campaign_truth(thickness_nm: np.ndarray) -> np.ndarray:
    """Return the simulated campaign's curve [eV]."""
    return np.interp(thickness_nm, *_tabulated())


def polar_truth(thickness_nm: np.ndarray) -> np.ndarray:
    """Return a saturating band with a peak, the fit's own kind [eV]."""
    return peaked(POLAR, np.atleast_1d(thickness_nm))


@dataclass
class Campaign:
    """Tables as the asset reads them, and what is true."""

    tables: dict[str, pd.DataFrame]
    numbers: dict[str, pd.DataFrame]
    systematics: dict[str, pd.DataFrame]
    truth_ev: dict[str, float]
    series_truth: dict[tuple[str, str], float]
    ups_ev: float

    def films(self, chosen: WorkFunctionParameters) -> Films:
        """Return them as an asset across films sees them."""
        empty = pd.DataFrame()
        return Films(
            chosen, 1, self.tables.__getitem__, self.numbers.__getitem__, lambda name: self.systematics.get(name, empty)
        )


def draw(
    seed: int,
    curve: Curve = campaign_truth,
    v_std: float = 0.014,
    t_std: float = 0.05,
    drift_ev: float = 0.02,
) -> Campaign:
    """Draw a campaign: 12 films, the reference before and after each session, the bare substrate.

    Photoelectrons: 2 meV of noise and systematics of 40 and 20 meV. Thickness: `t_std` of each film.
    """
    rng = np.random.default_rng([seed, 6])
    names = [*(f"F-{t:g}" for t in THICKNESSES), "REF", "TIO2"]
    nominal = np.array([*THICKNESSES, REFERENCE_NM, 0.0])
    true_nm = nominal * (1.0 + 0.02 * rng.normal(size=len(nominal)))
    phi = dict(zip(names, curve(true_nm).tolist(), strict=True))
    shifts = {"secondary onset": 0.04 * rng.normal(), "energy scale": 0.02 * rng.normal()}
    ups = {name: phi[name] + sum(shifts.values()) + 0.002 * rng.normal() for name in ("REF", "TIO2")}
    samples = [names[i] for i in rng.permutation(12)]
    samples.insert(int(rng.integers(13)), "TIO2")
    visits = []
    for session in range(-(-len(samples) // IN_A_SESSION)):
        here = samples[session * IN_A_SESSION : (session + 1) * IN_A_SESSION]
        tip, drift = 4.95 + 0.1 * rng.normal(), drift_ev * rng.normal()
        for turn, sample in enumerate(["REF", *here, "REF"]):
            at = pd.Timestamp("2025-03-17 09:00") + pd.Timedelta(days=5 * session, hours=1.5 * turn)
            here_ev = tip + drift * (turn / (len(here) + 1) - 0.5)
            visits.append(
                {
                    "growth_id": sample, "visit_index": len(visits) + 1, "tip": f"T{session + 1:02d}",
                    "visit_began_at": at, "visit_middle_at": at, "maps_count": 3,
                    "visit_v_cpd_v": here_ev - phi[sample] + v_std * rng.normal(), "visit_v_cpd_v_std": v_std,
                }
            )  # fmt: skip
    grown = names[:-1]
    layers = pd.DataFrame({"growth_id": grown, "material": "RuO2", "nominal_thickness_nm": nominal[:-1]})
    growth = pd.DataFrame(
        {
            "growth_id": names,
            "series": [SERIES] * 13 + ["TiO2"],
            "substrate_material": "TiO2",
            "origin": "simulated",
        }
    )
    xrr = pd.DataFrame(
        {
            "growth_id": grown,
            "material": "RuO2",
            "quantity": "thickness_nm",
            "value": true_nm[:-1] + t_std * rng.normal(size=13),
            "sigma_statistical": t_std,
            "result_id": range(13),
        }
    )
    light = pd.DataFrame(
        {
            "growth_id": list(ups),
            "quantity": "work_function_ev",
            "value": list(ups.values()),
            "sigma_statistical": 0.002,
            "result_id": [100, 101],
        }
    )
    effects = pd.DataFrame(
        [(i, e, s) for i in (100, 101) for e, s in (("secondary onset", 0.04), ("energy scale", 0.02))],
        columns=["result_id", "effect", "shift"],
    )
    return Campaign(
        {"growth": growth, "growth_layer": layers, "kpfm_potential_visit": pd.DataFrame(visits)},
        {"xrr_fit": xrr, "ups_fit": light},
        {"ups_fit": effects},
        phi,
        _series_truth(curve, true_nm[:-1]),
        ups["REF"],
    )


def _series_truth(curve: Curve, films_nm: np.ndarray) -> dict[tuple[str, str], float]:
    grid = np.linspace(films_nm.min(), films_nm.max(), 20001)
    along = curve(grid)
    top = int(along.argmax())
    ends = (curve(np.zeros(1))[0], along[-1], np.array(grid[-1]))
    length = LENGTH_NM if curve is polar_truth else np.inf
    found = {
        ("work_function_peak_thickness_nm", ""): float(grid[top]),
        ("work_function_modulation_ev", ""): float(along[top] - curve(films_nm).min()),
        ("polarization_component_ev", "linear"): float(along[top] - baseline(grid[top], *ends, np.array(np.inf))),
    }
    if np.isfinite(length):
        bent = float(along[top] - baseline(grid[top], *ends, np.array(length)))
        found["polarization_component_ev", "saturating"] = bent
    return found
