"""Tables of the transport room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, NOTES, POINT_INDEX, TEMPERATURE, film_table
from rutile_assets.table import Column, estimated

TRANSPORT_SWEEP = film_table(
    "transport_sweep",
    "Resistances as measured, in the order in which they were taken.",
    grain="one reading of one contact arrangement",
    key=("file_id", "point_index"),
    columns=(
        FILE_ID,
        POINT_INDEX,
        Column("arrangement", "text", "what the contacts measured", allowed=("vdp_a", "vdp_b", "hall")),
        Column("configuration_index", "integer", "bridge or wiring inside the file", minimum=0),
        TEMPERATURE,
        Column("field_t", "double", "mu0 H, along the film's normal"),
        Column("resistance_ohm", "double", "voltage over current; slope of V over I where currents were stepped"),
    ),
)

TRANSPORT_SHEET = film_table(
    "transport_sheet",
    "Sheet resistance without field, by van der Pauw.",
    grain="one temperature of one file",
    key=("file_id", "temperature_index"),
    columns=(
        FILE_ID,
        Column("temperature_index", "integer", "temperature inside the file, 1 is the coldest", minimum=1),
        TEMPERATURE,
        Column("r_a_ohm", "double", "resistance of arrangement A", minimum=0),
        Column("r_b_ohm", "double", "resistance of arrangement B", minimum=0),
        *estimated("sheet_resistance_ohm", "R_s of the whole sheet", minimum=0),
        *estimated("sigma_2d_s", "1 / R_s", minimum=0),
        Column("reciprocity_ohm", "double", "shift of R_s if one of two reciprocal configurations is wrong", minimum=0),
        Column("is_anisotropic", "boolean", "R_A and R_B differ by more than 1.5: R_s is a geometric mean"),
        Column("readings_count", "integer", "readings at this temperature", minimum=1),
        NOTES,
    ),
)

TRANSPORT_HALL = film_table(
    "transport_hall",
    "Hall effect: slope, anomalous term, and density and mobility where the effect is linear.",
    grain="one temperature of one file",
    key=("file_id", "temperature_index"),
    columns=(
        FILE_ID,
        Column("temperature_index", "integer", "temperature inside the file, 1 is the coldest", minimum=1),
        TEMPERATURE,
        *estimated("hall_slope_ohm_per_t", "dR_xy/d(mu0 H); positive for holes in the wiring as recorded"),
        *estimated("anomalous_hall_ohm", "amplitude of A tanh(H/H0); NULL with the linear model", nullable=True),
        Column("saturation_t", "double", "H0 of the anomalous term", nullable=True, minimum=0),
        Column("delta_bic", "double", "BIC of the linear model minus BIC with the anomalous term"),
        Column("verdict", "text", "which model holds", allowed=("linear", "anomalous", "undecided")),
        Column("branch_slopes", "text", "slope of each branch alone in ohm/T, separated by blanks"),
        *estimated("sheet_density_per_cm2", "1/(e |slope|); NULL unless linear", nullable=True, minimum=0),
        *estimated("mobility_cm2_per_vs", "|slope| / R_s; NULL unless linear", nullable=True, minimum=0),
    ),
)

TRANSPORT_HALL_CURVE = film_table(
    "transport_hall_curve",
    "Odd part of the Hall resistance and its model.",
    grain="one field of one temperature of one file",
    key=("file_id", "temperature_index", "point_index"),
    columns=(
        FILE_ID,
        Column("temperature_index", "integer", "temperature inside the file, 1 is the coldest", minimum=1),
        POINT_INDEX,
        TEMPERATURE,
        Column("field_t", "double", "mu0 H, along the film's normal"),
        Column("odd_part_ohm", "double", "[R_xy(H) - R_xy(-H)]/2, branches averaged"),
        Column("model_ohm", "double", "fitted model"),
    ),
)
