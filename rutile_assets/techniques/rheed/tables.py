"""Tables of the RHEED room."""

from __future__ import annotations

from rutile_assets.columns import CHANNEL_INDEX, FILE_ID, film_table
from rutile_assets.table import Column, estimated

FRAME_TIME = Column("frame_time_s", "double", "time since the first frame; NULL where nobody says", nullable=True)
FRAME_INDEX = Column("frame_index", "integer", "place of the frame in the film's sequence, from 1", minimum=1)

RHEED_FRAME = film_table(
    "rheed_frame",
    "RHEED pictures in the order of their sequence, with the intensity of the specular spot.",
    grain="one picture",
    key=("file_id", "channel_index"),
    columns=(
        FILE_ID,
        CHANNEL_INDEX,
        FRAME_INDEX,
        FRAME_TIME,
        Column("spot_x_index", "integer", "column of the window's middle, from 0", minimum=0),
        Column("spot_y_index", "integer", "row of the window's middle, from 0 at the top", minimum=0),
        Column("window_half_count", "integer", "pixels from the window's middle to its edge", minimum=0),
        Column("spot_counts", "double", "mean of the pixels in the specular spot's window", minimum=0),
        Column("frame_mean_counts", "double", "mean of all pixels of the picture", minimum=0),
        Column("frame_highest_counts", "double", "highest pixel of the picture", minimum=0),
        Column("full_scale_counts", "double", "counts at which the camera is full; NULL where it never is",
               nullable=True, minimum=0),
        Column("frame_saturated_fraction", "double", "part of the picture's pixels at full scale", minimum=0,
               maximum=1),
        Column("spot_saturated_fraction", "double", "part of the window's pixels at full scale", minimum=0, maximum=1),
        Column("frames", "text", "reference to the file's pictures in the array store, (N, Y, X), row 0 at the top"),
    ),
)  # fmt: skip

RHEED_OSCILLATION = film_table(
    "rheed_oscillation",
    "Oscillations of the specular intensity, or that there are none.",
    grain="one film",
    key=(),
    columns=(
        Column("oscillates", "boolean", "whether an oscillation explains the intensities better than a drift alone"),
        Column("oscillation_delta_bic", "double", "Bayesian information criterion of the drift alone less that of the"
               " oscillation"),
        Column("fitted_frames_count", "integer", "pictures in the fit", minimum=1),
        *estimated("growth_rate_layers_per_s", "layers a second: oscillations a second times the layers of each",
                   nullable=True, minimum=0),
        *estimated("oscillation_period_s", "time of one oscillation", nullable=True, minimum=0),
        Column("damping_time_s", "double", "time in which the oscillation falls to 1/e", nullable=True, minimum=0),
        Column("harmonics_count", "integer", "harmonics in the fit", nullable=True, minimum=1),
        Column("layers_per_oscillation_count", "double", "layers that one oscillation stands for, as chosen",
               minimum=0),
    ),
)  # fmt: skip

RHEED_OSCILLATION_POINT = film_table(
    "rheed_oscillation_point",
    "Specular intensity against time, and the model.",
    grain="one picture of the fit",
    key=("frame_index",),
    columns=(
        FRAME_INDEX,
        Column("fit_time_s", "double", "time since the first frame"),
        Column("spot_counts", "double", "mean of the pixels in the specular spot's window", minimum=0),
        Column("model_counts", "double", "the chosen model of spot_counts"),
        Column("drift_counts", "double", "the model without its oscillation"),
    ),
)
