"""Tables of the reciprocal space map room."""

from __future__ import annotations

from rutile_assets.columns import CHI, FILE_ID, NOTES, OMEGA, XRAY_POINT, film_table
from rutile_assets.table import Column, estimated

RSM_SCAN = film_table(
    "rsm_scan",
    "Reciprocal space maps as measured: the points of every scan, attenuators and counting time honoured.",
    grain="one point of one scan of a map",
    key=("file_id", "scan_index", "point_index"),
    columns=(*XRAY_POINT, OMEGA, CHI),
)

RSM_SCAN_MAP = film_table(
    "rsm_scan_map",
    "What a map covers, and its brightest point as the goniometer reads it.",
    grain="one map",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("scans_count", "integer", "scans of the map", minimum=1),
        Column("map_points_count", "integer", "points in all", minimum=1),
        Column("brightest_omega_deg", "double", "omega of the brightest point, from the surface"),
        Column("brightest_two_theta_deg", "double", "2theta of the brightest point"),
        Column("brightest_chi_deg", "double", "chi of the brightest point"),
        Column("brightest_counts_per_s", "double", "rate of the brightest point", minimum=0),
        Column("brightest_q_per_angstrom", "double", "length of the brightest point's momentum transfer", minimum=0),
        Column("brightest_spacing_angstrom", "double", "2 pi over that length", minimum=0),
    ),
)

RSM_FIT = film_table(
    "rsm_fit",
    "A film's centre in a map about a reflection of its substrate.",
    grain="one component of one map",
    key=("file_id", "component_index"),
    columns=(
        FILE_ID,
        Column("component_index", "integer", "component of the film in a map, from 1", minimum=1, maximum=2),
        Column("reflection", "text", "Miller indices of the substrate's reflection, hkl"),
        Column("lattices", "text", "bulk lattices, a key of LATTICE_SETS in physics/crystal.py"),
        Column("omega_offset_deg", "double", "goniometer minus nominal, from the substrate's peak, subtracted"),
        Column("two_theta_offset_deg", "double", "goniometer minus nominal, from the substrate's peak, subtracted"),
        Column("chi_offset_deg", "double", "goniometer minus nominal, from the substrate's peak, subtracted"),
        Column("substrate_q_001_per_angstrom", "double", "nominal, along [001]"),
        Column("substrate_q_1m10_per_angstrom", "double", "nominal, along [1-10]"),
        Column("substrate_q_110_per_angstrom", "double", "nominal, along the normal [110]"),
        *estimated("q_parallel_per_angstrom", "the film's centre along the substrate's in-plane direction"),
        *estimated("q_110_per_angstrom", "the film's centre along the normal [110]"),
        Column("intensity_fraction", "double", "the component's part of the film's intensity", minimum=0, maximum=1),
        Column("lateral_width_per_angstrom", "double", "standard deviation of the component across the rod", minimum=0),
        Column("component_delta_bic", "double", "BIC of one component minus BIC of two"),
        Column("reduced_chi_square", "double", "with counting noise alone; 1 where the model says all", minimum=0),
        NOTES,
    ),
)

RSM_FIT_POINT = film_table(
    "rsm_fit_point",
    "Measured and fitted map in reciprocal space, zero offsets taken out.",
    grain="one point of a map",
    key=("file_id", "point_index"),
    columns=(
        FILE_ID,
        XRAY_POINT[2],
        Column("q_in_plane_per_angstrom", "double", "along the substrate's in-plane direction"),
        Column("q_normal_per_angstrom", "double", "along the normal [110]"),
        Column("measured_counts_per_s", "double", "measured rate, attenuator and time corrected"),
        Column("fitted_counts_per_s", "double", "model"),
    ),
)
