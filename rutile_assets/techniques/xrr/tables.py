"""Tables of the reflectivity room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, LAYER_INDEX, MATERIAL, NOTES, POINT_INDEX, TWO_THETA, XRAY_POINT, film_table
from rutile_assets.table import Column, estimated
from rutile_assets.units import STD_SOURCES

XRR_SCAN = film_table(
    "xrr_scan",
    "Reflectivity scans as measured, attenuators and counting time honoured.",
    grain="one point of one scan",
    key=("file_id", "scan_index", "point_index"),
    columns=(
        *XRAY_POINT,
        Column("intensity_counts_per_s_std", "double", "one sigma, where known", nullable=True, minimum=0),
        Column("intensity_counts_per_s_std_source", "text", "where it comes from", nullable=True, allowed=STD_SOURCES),
    ),
)

XRR_FIT = film_table(
    "xrr_fit",
    "Fits of reflectivity scans: what the instrument and the fit say.",
    grain="one fit of one file",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("points_count", "integer", "points that were fitted", minimum=1),
        Column("free_parameters_count", "integer", "parameters of the model", minimum=1),
        Column("reduced_chi_square", "double", "with counting noise alone; 1 where the model says all", minimum=0),
        Column("is_misfit", "boolean", "whether the model, not the counting, limits the fit"),
        Column("model_error_ratio", "double", "relative error added to the noise so that chi-square is 1", minimum=0),
        *estimated(
            "total_thickness_nm",
            "sum of the measured layers' thicknesses; NULL for a bare substrate",
            nullable=True,
            minimum=0,
        ),
        *estimated("two_theta_zero_deg", "reading of the goniometer at the direct beam"),
        Column("resolution_fwhm_deg", "double", "FWHM of the resolution in 2theta, given or fitted", minimum=0),
        Column("beam_width_over_length_ratio", "double", "beam FWHM over sample length, given or fitted", minimum=0),
        Column("direct_beam_counts_per_s", "double", "rate of the direct beam", minimum=0),
        Column("background_counts_per_s", "double", "constant background", minimum=0),
        Column("at_bounds", "text", "parameters that ran into a bound, separated by commas"),
        NOTES,
    ),
)

XRR_FIT_LAYER = film_table(
    "xrr_fit_layer",
    "Layers as reflectivity sees them, bottom to top; layer 0 is the substrate.",
    grain="one layer of one fit",
    key=("file_id", "layer_index"),
    columns=(
        FILE_ID,
        LAYER_INDEX,
        MATERIAL,
        *estimated("thickness_nm", "fitted thickness; NULL for the substrate", nullable=True, minimum=0),
        *estimated("roughness_nm", "rms roughness of the layer's top interface (Nevot-Croce)", minimum=0),
        *estimated("density_g_per_cm3", "mass density", minimum=0),
    ),
)

XRR_FIT_CURVE = film_table(
    "xrr_fit_curve",
    "Measured and fitted curve, point by point.",
    grain="one fitted point",
    key=("file_id", "point_index"),
    columns=(
        FILE_ID,
        POINT_INDEX,
        TWO_THETA,
        Column("measured_counts_per_s", "double", "measured rate, attenuator and time corrected"),
        Column("fitted_counts_per_s", "double", "model"),
        Column("residual", "double", "measured minus model in sigma (signed square root of the deviance for counts)"),
    ),
)
