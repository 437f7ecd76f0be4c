"""Tables of the diffraction room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, LAYER_INDEX, MATERIAL, NOTES, POINT_INDEX, TWO_THETA, XRAY_POINT, film_table
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
