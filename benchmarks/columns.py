"""Atom columns: the joint fit of two thousand, against a local fit of each and centres of mass, in processor time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from rutile_assets.physics.column_fit import fit_columns
from rutile_assets.physics.column_lattice import rutile_sites
from rutile_assets.physics.column_local import centres_of_mass, fit_columns_locally
from rutile_assets.simulation.column_images import ColumnImageSetup, draw_columns


def _processor_s(work: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    drawn = draw_columns(ColumnImageSetup(columns=24), np.random.default_rng(0))
    image, pixel = drawn.image, drawn.pixel_angstrom
    found_s, sites = _processor_s(lambda: rutile_sites(image, pixel, substrate_side="top"))
    start, species = sites.start_angstrom, sites.element.tolist()  # type: ignore[attr-defined]
    joint_s, fit = _processor_s(lambda: fit_columns(image, pixel, start, species))
    local_s, _ = _processor_s(lambda: fit_columns_locally(image, pixel, start))
    mass_s, _ = _processor_s(lambda: centres_of_mass(image, pixel, start))
    many = np.random.default_rng(1).normal(size=(28, len(start), 2))
    spread_s, _ = _processor_s(lambda: fit.covariance_angstrom2(many))  # type: ignore[attr-defined]
    yield (
        f"{len(start)} columns in {image.shape[0]} x {image.shape[1]} pixels: found {found_s:.1f} s, fitted together "
        f"{joint_s:.1f} s of one processor (aim 20 s), covariance of 28 planes {spread_s:.2f} s"
    )
    yield (
        f"the same one by one: Gaussians {local_s:.2f} s, ratio {joint_s / local_s:.1f}; "
        f"centres of mass {mass_s:.2f} s, ratio {joint_s / mass_s:.0f}"
    )
