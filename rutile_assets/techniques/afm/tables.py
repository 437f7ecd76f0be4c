"""Tables of the AFM room."""

from __future__ import annotations

from rutile_assets.columns import ARRAY, CHANNEL_INDEX, FILE_ID, film_table
from rutile_assets.table import Column, estimated

AFM_IMAGE = film_table(
    "afm_image",
    "Height images as measured.",
    grain="one height image",
    key=("file_id", "channel_index"),
    columns=(
        FILE_ID,
        CHANNEL_INDEX,
        Column("channel_label", "text", "the instrument's name of the image"),
        Column("pixels_x_count", "integer", "pixels along the fast axis", minimum=1),
        Column("pixels_y_count", "integer", "lines along the slow axis", minimum=1),
        Column("scan_size_x_nm", "double", "length of the fast axis", minimum=0),
        Column("scan_size_y_nm", "double", "length of the slow axis", minimum=0),
        Column("height_min_nm", "double", "lowest pixel as measured"),
        Column("height_max_nm", "double", "highest pixel as measured"),
        ARRAY,
    ),
)

AFM_ROUGHNESS = film_table(
    "afm_roughness",
    "Roughness of each image by each way of levelling it; the default way is the result.",
    grain="one levelling of one image",
    key=("file_id", "channel_index", "levelling"),
    columns=(
        FILE_ID,
        CHANNEL_INDEX,
        Column(
            "levelling",
            "text",
            "how lines were aligned; then a plane, or with _bow a second-order surface, is taken off",
        ),
        Column("is_default", "boolean", "whether this is the one in `results`"),
        *estimated("roughness_sq_pm", "Sq (ISO 25178) over the whole image, steps included", minimum=0),
        Column("terrace_coherence_ratio", "double", "1 for perfect terraces; NULL where none are seen", nullable=True),
        Column(
            "terrace_sq_pm", "double", "Sq on the terraces; NULL where no terraces are seen", nullable=True, minimum=0
        ),
    ),
)
