"""The microscope's files of a trilayer: a 4D-STEM scan over its lower interface."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from rutile_assets.simulation.crystals import Displacement
from rutile_assets.simulation.files import SimulatedFile
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.stem4d import DEMO, empad_bytes, film_crystal, sidecar, simulate_stem4d
from rutile_assets.simulation.truth import TRILAYER, FilmTruth

NOMINAL_NM = 3.8  # the paper's own cross-section


def stem4d_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return a demo-sized EMPAD scan, 12 x 12 positions of a lamella of 5 nm, and its sidecar; only for one trilayer.

    How the detector lies is drawn and told to nobody. Cations move by 12 pm at the interface, decaying over 1.2 nm.
    """
    if truth.series != TRILAYER or truth.film.nominal_thickness_nm != NOMINAL_NM:
        return []
    del started_at, realism
    setup = replace(DEMO, rotation_deg=90.0 * int(rng.integers(4)), transpose=bool(rng.integers(2)))
    planes = round(truth.film.thickness_nm / 0.3248)
    crystal, first = film_crystal(setup, Displacement(), planes)
    patterns = simulate_stem4d(setup, crystal, first, rng).patterns
    said = sidecar(setup) + b"sample_thickness_nm: 5.0\n"
    name = f"stem4d/{truth.growth_id}_lower.raw"
    return [SimulatedFile(name, empad_bytes(patterns)), SimulatedFile(f"{name}.yaml", said)]
