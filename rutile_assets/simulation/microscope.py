"""The microscope's files of a trilayer: a 4D-STEM scan over its lower interface, a HAADF series of all of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from rutile_assets.simulation.crystals import Displacement
from rutile_assets.simulation.files import COMMENT, SimulatedFile
from rutile_assets.simulation.haadf import HaadfSetup, simulate_haadf
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.stem4d import DEMO, empad_bytes, film_crystal, sidecar, simulate_stem4d
from rutile_assets.simulation.truth import TRILAYER, FilmTruth
from rutile_assets.simulation.writers import velox
from rutile_assets.simulation.writers.scan import Header

NOMINAL_NM = 3.8  # the paper's own cross-section
SCAN, STEP_NM = (18, 12), 0.12  # five planes of cations about the lower interface, three columns wide
HAADF = HaadfSetup(
    displacement=Displacement(), pixels=192, pixel_nm=0.042, header_scale_error_percent=2.4, normal_angle_deg=88.5
)


def stem4d_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return a demo-sized EMPAD scan, 18 x 12 positions of a lamella of 5 nm, and its sidecar; only for one trilayer.

    How the detector lies is drawn and told to nobody. Cations move by 12 pm at the interface, decaying over 1.2 nm.
    """
    if truth.series != TRILAYER or truth.film.nominal_thickness_nm != NOMINAL_NM:
        return []
    del started_at, realism
    setup = replace(
        DEMO, scan=SCAN, step_nm=STEP_NM, rotation_deg=90.0 * int(rng.integers(4)), transpose=bool(rng.integers(2))
    )
    planes = round(truth.film.thickness_nm / 0.3248)
    crystal, first = film_crystal(setup, Displacement(), planes)
    patterns = simulate_stem4d(setup, crystal, first, rng).patterns
    said = sidecar(setup) + b"sample_thickness_nm: 5.0\n"
    name = f"stem4d/{truth.growth_id}_lower.raw"
    return [SimulatedFile(name, empad_bytes(patterns)), SimulatedFile(f"{name}.yaml", said)]


def haadf_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return a HAADF series, 8 small frames whose scan is turned by 45 deg each, Velox .emd; only for one trilayer.

    The header's scale is 2.4 % too long; drift, jitter and that are told to nobody. The sidecar tells where up is.
    """
    if truth.series != TRILAYER or truth.film.nominal_thickness_nm != NOMINAL_NM:
        return []
    del realism
    setup = replace(HAADF, planes=(12, round(truth.film.thickness_nm / 0.3248), 12))
    content = velox.write(
        simulate_haadf(setup, rng).frames,
        Header(truth.growth_id, "simulation", COMMENT, started_at),
        pixel_nm=setup.header_pixel_nm,
        rotations_deg=setup.rotations_deg,
        dwell_ms=setup.dwell_ms,
        line_ms=setup.line_ms,
        frame_s=1e-3 * setup.pixels * setup.line_ms + setup.pause_s,
    )
    name = f"haadf/{truth.growth_id}_HAADF.emd"
    said = f"# {COMMENT}\nnormal_angle_deg: {round(setup.normal_angle_deg)}\n"
    return [SimulatedFile(name, content), SimulatedFile(f"{name}.yaml", said.encode())]
