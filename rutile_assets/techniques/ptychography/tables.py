"""Tables of the ptychography room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, NOTES, film_table
from rutile_assets.table import Column, estimated

ITERATION = Column("iteration_index", "integer", "pass over the diffraction patterns, from 1, all stages", minimum=1)

PTYCHOGRAPHY = film_table(
    "ptychography",
    "Multislice reconstructions: object with depth, probe, and what they are worth.",
    grain="one 4D-STEM scan",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("recipe", "text", "schedule of the reconstruction"),
        Column("computed_on", "text", "cpu, or the GPU"),
        Column("slices_count", "integer", "slices along the beam", minimum=1),
        Column("slice_thickness_nm", "double", "distance from slice to slice", minimum=0),
        Column("modes_count", "integer", "incoherent probe modes", minimum=1),
        Column("object_pixel_nm", "double", "sampling of the object, both axes", minimum=0),
        Column("origin_slow_nm", "double", "scan coordinate of the object's first row"),
        Column("origin_fast_nm", "double", "scan coordinate of the object's first column"),
        Column("field_first_row_index", "integer", "first row that the scan covers, from 0", minimum=0),
        Column("field_last_row_index", "integer", "last row that the scan covers", minimum=0),
        Column("field_first_column_index", "integer", "first column that the scan covers, from 0", minimum=0),
        Column("field_last_column_index", "integer", "last column that the scan covers", minimum=0),
        Column(
            "object_array", "text", "array (S, H, W): phase each slice gives the wave in rad; 0 where the beam enters"
        ),
        Column(
            "probe_array", "text", "array (2, M, Y, X): real and imaginary parts of the modes, Fourier space, FFT order"
        ),
        Column("positions_array", "text", "array (N, 2): probe positions along slow and fast axis in nm, as refined"),
        Column("spread_array", "text", "array (H, W): one sigma of the depth mean in rad, from halves", nullable=True),
        Column("halves_array", "text", "array (2, S, H, W): objects from halves of the patterns in rad", nullable=True),
        Column("iterations_count", "integer", "passes over the diffraction patterns", minimum=1),
        Column("stopped_because", "text", "why each stage ended"),
        Column(
            "chi_square_ratio", "double", "Pearson's chi-square per pixel; 1 where counting noise is all", minimum=0
        ),
        Column(
            "withheld_chi_square_ratio",
            "double",
            "of patterns that were never fitted",
            nullable=True,
            minimum=0,
        ),
        Column(
            "object_reduced_chi_square",
            "double",
            "chi-square per degree of freedom: what the fit took from the noise is given back",
            nullable=True,
            minimum=0,
        ),
        Column("phase_per_slice_rad", "double", "what the strongest columns put into a slice; pi is lost", minimum=0),
        Column("suggested_slices_count", "integer", "slices that keep it at or below pi/2", minimum=1),
        Column("ring_fraction", "double", "columns that are a ring in a slice and no peak", minimum=0, maximum=1),
        Column("tilt_slow_mrad", "double", "mistilt of the sample as refined, along the slow axis"),
        Column("tilt_fast_mrad", "double", "mistilt of the sample as refined, along the fast axis"),
        *estimated("half_data_resolution_nm", "1/k where halves cease to agree (half-bit)", nullable=True, minimum=0),
        NOTES,
    ),
)

PTYCHOGRAPHY_ITERATION = film_table(
    "ptychography_iteration",
    "Error after each pass over the diffraction patterns.",
    grain="one iteration",
    key=("file_id", "iteration_index"),
    columns=(
        FILE_ID,
        ITERATION,
        Column("stage_index", "integer", "stage of the recipe, from 1", minimum=1),
        Column("deviance_ratio", "double", "twice the loss per fitted pixel", minimum=0),
        Column("fitted_chi_square_ratio", "double", "Pearson's, of the same pixels", minimum=0),
        Column("withheld_deviance_ratio", "double", "twice the loss per withheld pixel", nullable=True, minimum=0),
        Column("is_kept", "boolean", "whether its object is the one that its stage hands on"),
    ),
)

PTYCHOGRAPHY_MODE = film_table(
    "ptychography_mode",
    "Powers of the probe's orthogonal modes.",
    grain="one mode",
    key=("file_id", "mode_index"),
    columns=(
        FILE_ID,
        Column("mode_index", "integer", "mode, from 1, strongest first", minimum=1),
        Column("power_fraction", "double", "of the beam's power", minimum=0, maximum=1),
    ),
)

PTYCHOGRAPHY_CORRELATION = film_table(
    "ptychography_correlation",
    "Agreement of the reconstructions of two halves of the diffraction patterns, by spatial frequency (FRC).",
    grain="one ring of spatial frequency",
    key=("file_id", "ring_index"),
    columns=(
        FILE_ID,
        Column("ring_index", "integer", "ring, from 1", minimum=1),
        Column("frequency_per_angstrom", "double", "spatial frequency", minimum=0),
        Column("correlation_factor", "double", "real part of the correlation coefficient"),
        Column("half_bit_factor", "double", "threshold"),
    ),
)
