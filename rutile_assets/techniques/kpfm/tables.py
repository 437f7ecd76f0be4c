"""Tables of the KPFM room."""

from __future__ import annotations

from rutile_assets.columns import ARRAY, CHANNEL_INDEX, FILE_ID, film_table
from rutile_assets.table import Column, estimated

TIP = Column("tip", "text", "the tip, as declared beside the maps; a session at the microscope has one", nullable=True)
ACQUIRED_AT = Column("acquired_at", "timestamp", "start of the measurement by the instrument's clock", nullable=True)

KPFM_MAP = film_table(
    "kpfm_map",
    "Contact potential maps as measured, with the electrode that carried the bias.",
    grain="one potential map",
    key=("file_id", "channel_index"),
    columns=(
        FILE_ID,
        CHANNEL_INDEX,
        Column("channel_label", "text", "the instrument's name of the image"),
        TIP,
        ACQUIRED_AT,
        Column("bias_on", "text", "electrode that carried the nulling bias", allowed=("tip", "sample")),
        Column("pixels_x_count", "integer", "pixels along the fast axis", minimum=1),
        Column("pixels_y_count", "integer", "lines along the slow axis", minimum=1),
        Column("scan_size_x_nm", "double", "length of the fast axis", minimum=0),
        Column("scan_size_y_nm", "double", "length of the slow axis", minimum=0),
        Column("bias_mean_v", "double", "mean of the bias as recorded"),
        ARRAY,
    ),
)

KPFM_POTENTIAL = film_table(
    "kpfm_potential",
    "Mean contact potential of each map: tip bias that nulls with the sample grounded.",
    grain="one potential map",
    key=("file_id", "channel_index"),
    columns=(
        FILE_ID,
        CHANNEL_INDEX,
        TIP,
        ACQUIRED_AT,
        *estimated("v_cpd_v", "mean of V_CPD; Phi_sample = Phi_tip - e V_CPD"),
        Column("v_cpd_spread_v", "double", "standard deviation of V_CPD over the map", minimum=0),
        Column("effective_pixels_count", "double", "independent pixels that the map is worth", minimum=0),
    ),
)

KPFM_POTENTIAL_VISIT = film_table(
    "kpfm_potential_visit",
    "Contact potential of each visit of the film to the microscope: one tip, no long pause between its maps.",
    grain="one visit",
    key=("visit_index",),
    columns=(
        Column("visit_index", "integer", "visit of the film to the microscope, from 1, tip by tip", minimum=1),
        TIP,
        Column("visit_began_at", "timestamp", "start of the visit's first map, the instrument's clock", nullable=True),
        Column("visit_middle_at", "timestamp", "mean of the starts of the visit's maps", nullable=True),
        Column("maps_count", "integer", "maps of the visit", minimum=1),
        *estimated("visit_v_cpd_v", "V_CPD of the visit, the mean over its maps"),
    ),
)
