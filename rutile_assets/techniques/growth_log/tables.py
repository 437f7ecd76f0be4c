"""Tables of the growth log room: as logged, a summary of each channel, and a common grid.

A log's channels have many units, or none that anybody says. So a reading stands in the channel's own unit, and
`reading_unit` in the same row says which; NULL where nobody does.
"""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, POINT_INDEX, film_table
from rutile_assets.table import Column
from rutile_assets.techniques.growth_log.model import ROLES

LOG_CHANNEL = Column("log_channel", "text", "name of the logged channel, as the file or the file's name says")
READING_UNIT = Column("reading_unit", "text", "unit of the readings in this row; NULL where nobody says", nullable=True)
LOG_TIME = Column("log_time_s", "double", "time since the log's own zero")
LOGS_TIME = Column("common_time_s", "double", "time since the start of the earliest of the film's logs")
SATURATED = Column("is_saturated", "boolean", "whether the reading stands at a limit of the instrument's range")

GROWTH_LOG = film_table(
    "growth_log",
    "Growth logs as logged.",
    grain="one reading of one channel",
    key=("file_id", "log_channel", "point_index"),
    columns=(
        FILE_ID,
        LOG_CHANNEL,
        POINT_INDEX,
        LOG_TIME,
        Column("reading", "double", "what was logged, in reading_unit", nullable=True),
        READING_UNIT,
    ),
)

GROWTH_LOG_CHANNEL = film_table(
    "growth_log_channel",
    "Channels of growth logs: unit, range, sampling, gaps and saturation.",
    grain="one channel of one file",
    key=("file_id", "log_channel"),
    columns=(
        FILE_ID,
        LOG_CHANNEL,
        READING_UNIT,
        Column("channel_role", "text", "what the channel tells of the growth; NULL where unknown", nullable=True,
               allowed=ROLES),
        Column("range_low_reading", "double", "lower limit of the instrument's range", nullable=True),
        Column("range_high_reading", "double", "upper limit of the instrument's range", nullable=True),
        Column("log_readings_count", "integer", "readings", minimum=1),
        Column("clock_offset_s", "double", "the log's zero after the start of the earliest of the film's logs"),
        Column("first_log_time_s", "double", "time of the first reading since the log's own zero"),
        Column("last_log_time_s", "double", "time of the last reading since the log's own zero"),
        Column("sampling_s", "double", "median time between readings; NULL for a single one", nullable=True, minimum=0),
        Column("longest_gap_s", "double", "longest time between readings; NULL for a single one", nullable=True,
               minimum=0),
        Column("gaps_count", "integer", "pauses that the common grid does not bridge", minimum=0),
        Column("spikes_count", "integer", "readings that stand far out of their neighbours", minimum=0),
        Column("saturated_fraction", "double", "part of the readings (pixels) at a limit of the range", minimum=0,
               maximum=1),
        Column("first_reading", "double", "first reading, in reading_unit"),
        Column("last_reading", "double", "last reading, in reading_unit"),
        Column("lowest_reading", "double", "lowest reading, in reading_unit"),
        Column("highest_reading", "double", "highest reading, in reading_unit"),
    ),
)  # fmt: skip

GROWTH_LOG_RESAMPLED = film_table(
    "growth_log_resampled",
    "All channels of a film on one grid of time; pauses of the logger stay pauses.",
    grain="one channel at one time",
    key=("file_id", "log_channel", "point_index"),
    columns=(
        FILE_ID,
        LOG_CHANNEL,
        POINT_INDEX,
        LOGS_TIME,
        Column("grid_reading", "double", "reading between its neighbours, in reading_unit; NULL in a pause",
               nullable=True),
        READING_UNIT,
        SATURATED,
    ),
)  # fmt: skip

GROWTH_LOG_WINDOW = film_table(
    "growth_log_window",
    "Times of the growth: from the first opening of a shutter to its last closing.",
    grain="one shutter",
    key=("file_id", "log_channel"),
    columns=(
        FILE_ID,
        LOG_CHANNEL,
        Column("open_common_time_s", "double", "first opening since the start of the earliest of the film's logs"),
        Column("close_common_time_s", "double", "last closing since the start of the earliest of the film's logs"),
        Column("open_s", "double", "time that it stood open", minimum=0),
    ),
)
