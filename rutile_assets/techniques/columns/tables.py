"""Tables of the atom column room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, NOTES, film_table, nullable
from rutile_assets.table import Column, estimated

IMAGE_KINDS = ("ptychography", "haadf")
IMAGE_KIND = Column("image_kind", "text", "what the image shows", allowed=IMAGE_KINDS)
COLUMN_INDEX = Column("column_index", "integer", "atom column inside the image, from 1", minimum=1)
REPLICATE_INDEX = Column("replicate_index", "integer", "draw of a null stack, from 1", minimum=1)
ELEMENT = Column("element", "text", "element of the column, or of the plane's cations", allowed=("Ti", "Ru", "O"))
PLANE_INDEX = Column("plane_index", "integer", "(110) plane of cations, counted along [110] outwards")

# what a row says of a column, whichever image it was fitted in; null stacks have the same
COLUMN_FIELDS = (
    COLUMN_INDEX,
    ELEMENT,
    Column("site", "text", "A: apical oxygens along [110]; B: along [1-10]", nullable=True, allowed=("A", "B")),
    nullable(PLANE_INDEX),
    Column("along_index", "integer", "place of the cation along [1-10] in its plane", nullable=True),
    *estimated("column_y_nm", "place down the image's rows, from the centre of its first pixel"),
    *estimated("column_x_nm", "place along the image's columns, from the centre of its first pixel"),
    *estimated("height_ratio", "height over the background, over that of the median Ti column", nullable=True),
    Column("is_usable", "boolean", "whether it stands far enough inside the image to be measured"),
)

ATOM_COLUMN = film_table(
    "atom_column",
    "Atom columns of images, fitted together.",
    grain="one atom column of one image",
    key=("file_id", "image_kind", "column_index"),
    columns=(FILE_ID, IMAGE_KIND, *COLUMN_FIELDS),
)

ATOM_COLUMN_IMAGE = film_table(
    "atom_column_image",
    "Images in which atom columns were fitted: the lattice, the fit, and which way is up.",
    grain="one image",
    key=("file_id", "image_kind"),
    columns=(
        FILE_ID,
        IMAGE_KIND,
        Column("image_array", "text", "array (Y, X): the image that was fitted, brightest columns about 1"),
        Column("residual_array", "text", "array (Y, X): image less model"),
        Column(
            "position_covariance_array",
            "text",
            "array (3, N): row, column and value in angstrom^2 of the covariance of y1, x1, y2, x2, ...",
        ),
        Column(
            "part_positions_array",
            "text",
            "array (2, C, 2): y, x in nm of the columns in the upper and the lower half of the depth",
            nullable=True,
        ),
        Column("part_variance_ratio", "double", "noise variance of half the depth over that of all", nullable=True),
        Column(
            "half_positions_array",
            "text",
            "array (2, C, 2): y, x in nm of the columns in reconstructions of two halves of the patterns",
            nullable=True,
        ),
        Column("half_variance_ratio", "double", "noise variance of half the patterns over that of all", nullable=True),
        Column("image_pixel_nm", "double", "sampling, both axes", minimum=0),
        Column("first_slice_index", "integer", "first slice of the mean, from 0", nullable=True, minimum=0),
        Column("last_slice_index", "integer", "last slice of the mean", nullable=True, minimum=0),
        Column("plane_step_y_nm", "double", "what one (110) plane outwards is down the image's rows, far TiO2"),
        Column("plane_step_x_nm", "double", "what one (110) plane outwards is along the image's columns, far TiO2"),
        Column("along_step_y_nm", "double", "what one cation along [1-10] is down the image's rows, far TiO2"),
        Column("along_step_x_nm", "double", "what one cation along [1-10] is along the image's columns, far TiO2"),
        *estimated("image_scale_factor", "length of the lattice as the image says over the table's", minimum=0),
        Column("lattice_rms_pm", "double", "root mean square of the far TiO2's cations about the lattice", minimum=0),
        Column("has_known_sign", "boolean", "whether it is known which way is out of the substrate"),
        Column("sign_source", "text", "who says which way is out, or why nobody does"),
        Column("columns_count", "integer", "atom columns fitted", minimum=0),
        Column("oxygen_columns_count", "integer", "of them oxygen", minimum=0),
        Column("edge_columns_count", "integer", "of them too near to the edge", minimum=0),
        Column("core_cation_pm", "double", "standard deviation of a Ti column's core", minimum=0),
        Column("core_oxygen_pm", "double", "standard deviation of an oxygen column's core", nullable=True, minimum=0),
        Column("peak_over_noise_ratio", "double", "height of the weakest element over the noise", minimum=0),
        Column(
            "image_reduced_chi_square",
            "double",
            "variance of the residual over that of single pixels' noise",
            minimum=0,
        ),
        NOTES,
    ),
)

ATOM_COLUMN_NULL = film_table(
    "atom_column_null",
    "The same image drawn again with every cation on the mean of its oxygens, and fitted again: the cheap control.",
    grain="one atom column of one draw",
    key=("file_id", "replicate_index", "column_index"),
    columns=(
        FILE_ID,
        REPLICATE_INDEX,
        COLUMN_INDEX,
        Column("drawn_y_nm", "double", "where the column was drawn, down the image's rows"),
        Column("drawn_x_nm", "double", "where the column was drawn, along the image's columns"),
        Column("refitted_y_nm", "double", "where the fit found it, down the image's rows"),
        Column("refitted_x_nm", "double", "where the fit found it, along the image's columns"),
    ),
)
