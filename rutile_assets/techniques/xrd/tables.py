"""Tables of the diffraction room."""

from __future__ import annotations

from rutile_assets.columns import (
    FILE_ID,
    LAYER_INDEX,
    MATERIAL,
    NOTES,
    POINT_INDEX,
    SCAN_INDEX,
    TWO_THETA,
    XRAY_POINT,
    film_table,
)
from rutile_assets.table import Column, estimated

XRD_SCAN = film_table(
    "xrd_scan",
    "Diffraction scans as measured, attenuators and counting time honoured.",
    grain="one point of one scan",
    key=("file_id", "scan_index", "point_index"),
    columns=XRAY_POINT,
)

XRD_FIT = film_table(
    "xrd_fit",
    "Laue oscillations about the substrate's (110) peak: planes, spacing and strain of each layer.",
    grain="one layer of one file",
    key=("file_id", "layer_index"),
    columns=(
        FILE_ID,
        LAYER_INDEX,
        MATERIAL,
        *estimated("planes_count", "number of (110) planes; a fraction is the occupancy of the top one", minimum=0),
        *estimated("plane_spacing_nm", "spacing of (110) planes along the normal", minimum=0),
        *estimated("laue_thickness_nm", "planes times spacing", minimum=0),
        *estimated(
            "strain_out_of_plane_percent", "spacing against the bulk lattice of the table in physics/crystal.py"
        ),
        *estimated("gap_nm", "distance from the plane below to the layer's first plane"),
        Column("reduced_chi_square", "double", "with counting noise alone; 1 where the model says all", minimum=0),
        NOTES,
    ),
)

XRD_FIT_CURVE = film_table(
    "xrd_fit_curve",
    "Measured and fitted scan, point by point.",
    grain="one fitted point",
    key=("file_id", "point_index"),
    columns=(
        FILE_ID,
        POINT_INDEX,
        TWO_THETA,
        Column("measured_counts_per_s", "double", "measured rate, attenuator and time corrected"),
        Column("fitted_counts_per_s", "double", "model"),
    ),
)

XRD_PEAK = film_table(
    "xrd_peak",
    "Bragg peaks of a scan of any stack: position of the K alpha 1 line, spacing, width, and the lattice where its "
    "index can be told.",
    grain="one peak of one scan",
    key=("file_id", "scan_index", "peak_index"),
    columns=(
        FILE_ID,
        SCAN_INDEX,
        Column("peak_index", "integer", "number within its scan, from the lowest angle, from 1", minimum=1),
        *estimated("two_theta_peak_deg", "where the K alpha 1 line stands on the goniometer"),
        *estimated("spacing_nm", "lambda / (2 sin theta), as the goniometer reads it", minimum=0),
        *estimated("fwhm_deg", "full width at half maximum of the line", minimum=0),
        *estimated("peak_counts_per_s", "height of the K alpha 1 line over the background", minimum=0),
        Column("k_alpha_2_fraction", "double", "K alpha 2 over K alpha 1 that the scan's peaks have", minimum=0),
        *estimated(
            "two_theta_brightest_deg",
            "the brightest point, as read off a plot; one sigma is where the line is one sigma of its counts lower",
        ),
        Column(
            "peak_owner", "text", "whose peak it is, where it can be told", allowed=("substrate", "film"), nullable=True
        ),
        Column("reflection_order", "integer", "order of the reflection along the normal", nullable=True, minimum=1),
        *estimated("lattice_out_of_plane_nm", "order times spacing, as the goniometer reads it", nullable=True),
        *estimated("lattice_brightest_nm", "order times the spacing that the brightest point reads", nullable=True),
        *estimated(
            "lattice_out_of_plane_corrected_nm",
            "the same after the substrate's peak of this order was put where its bulk lattice says",
            nullable=True,
        ),
        *estimated("order_offset_deg", "the substrate's peak of this order minus its nominal angle", nullable=True),
        Column("reduced_chi_square", "double", "with counting noise alone; 1 where the model says all", minimum=0),
        NOTES,
    ),
)
