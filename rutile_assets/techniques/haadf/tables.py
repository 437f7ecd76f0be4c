"""Tables of the HAADF room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, NOTES, film_table
from rutile_assets.table import Column, estimated

HAADF = film_table(
    "haadf",
    "HAADF images put together from frames under turned scans: the average, its scale, and what was taken off.",
    grain="one series of frames of one place",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("image_series", "text", "name of the series, as the sidecar gives it; else the file's"),
        Column("detector", "text", "detector as the file calls it"),
        Column("scan_frames_count", "integer", "frames in the average", minimum=1),
        Column("haadf_array", "text", "array (Y, X): the average, oriented as the first frame; NaN where none looked"),
        Column("cover_array", "text", "array (Y, X): number of frames at each pixel of the average"),
        Column("pixel_nm", "double", "side of a pixel of the average", minimum=0),
        Column("pixel_nm_source", "text", "who gives pixel_nm", allowed=("substrate", "sidecar", "file")),
        Column("given_pixel_nm", "double", "side of a pixel as file or sidecar gives it", minimum=0),
        *estimated(
            "scale_error_percent", "length by given_pixel_nm over the substrate's true one, less 1", nullable=True
        ),
        *estimated("axis_angle_deg", "angle between the axes of the substrate's lattice; 90 is true", nullable=True),
        *estimated(
            "axis_length_ratio", "axis of the lattice nearer to the rows over the other; 1 is true", nullable=True
        ),
        Column(
            "row_axis_angle_deg",
            "double",
            "lattice axis nearer to the rows, counterclockwise from their direction as seen",
            nullable=True,
        ),
        Column(
            "normal_angle_deg",
            "double",
            "[110] outwards in the average, counterclockwise from the rows' direction as seen; 90 is upwards",
            nullable=True,
        ),
        Column("rotation_source", "text", "who gives the scan rotations", allowed=("file", "data")),
        Column("frame_correlation_factor", "double", "mean correlation of a frame with those before it", nullable=True),
        Column(
            "drift_reduced_chi_square", "double", "misfit of one lattice and a drift a frame", nullable=True, minimum=0
        ),
        *estimated(
            "affine_residual_pm", "straight part left against the other frames, at a frame's edge", nullable=True
        ),
        *estimated("line_residual_pm", "what lines were moved by beyond a straight drift", nullable=True),
        Column("line_jitter_pm", "double", "of single lines, standard deviation", nullable=True, minimum=0),
        NOTES,
    ),
)

HAADF_FRAME = film_table(
    "haadf_frame",
    "Frames of each HAADF series: how the scan was turned, and how it drifted on the sample.",
    grain="one frame of one series",
    key=("file_id", "scan_frame_index"),
    columns=(
        FILE_ID,
        Column("scan_frame_index", "integer", "number of the frame in its series, from 1", minimum=1),
        Column("frame_file_id", "bigint", "the raw file of this frame"),
        Column("frame_rotation_deg", "double", "scan rotation against the first frame, counterclockwise as seen"),
        *estimated("drift_row_pm", "drift of the scan on the sample over the frame, downwards", nullable=True),
        *estimated("drift_column_pm", "drift of the scan on the sample over the frame, to the right", nullable=True),
        Column("offset_row_nm", "double", "centre of the frame against the first's, downwards", nullable=True),
        Column("offset_column_nm", "double", "centre of the frame against the first's, to the right", nullable=True),
        Column(
            "line_rms_pm", "double", "what its lines were moved by beyond a straight drift", nullable=True, minimum=0
        ),
    ),
)
