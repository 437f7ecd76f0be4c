"""Tables of the paper's claims and of its benchmark."""

from __future__ import annotations

from rutile_assets.columns import GROWTH_ID, NOTES, SERIES, nullable, series_table
from rutile_assets.results.claims_benchmark import STATUSES
from rutile_assets.results.consistency_flags import UNIT
from rutile_assets.table import Column

REPRODUCED, CONTRADICTED, UNTOLD, FOLLOWS, AGAINST_ITSELF, TEXT = CLAIM_VERDICTS = (
    "reproduced", "contradicted", "cannot be told", "follows from the paper's own numbers",
    "contradicted by the paper's own numbers", "a matter of text",
)  # fmt: skip
KINDS = BY_LAKE, BY_ARITHMETIC, BY_TEXT = "lake", "arithmetic", "text"
SIMULATED = Column("is_simulated", "boolean", "whether any film that it rests on is simulated")

CLAIMS_TABLE = series_table(
    "claims",
    "What the paper says, each sentence beside what this lake's films, or the paper's own numbers, give.",
    grain="one claim",
    key=("claim_number",),
    columns=(
        Column("claim_number", "integer", "number of the claim", minimum=1),
        Column("claim_kind", "text", "what tests it: the lake's films, the paper's own arithmetic, or its words",
               allowed=KINDS),
        Column("statement", "text", "what is claimed"),
        Column("locator", "text", "where it stands in the paper: section and figure"),
        Column("claim_quantity", "text", "the lake's quantity that tests it, as in result", nullable=True),
        Column("claim_test", "text", "how the number is held against the stated one", nullable=True),
        Column("stated_reading", "double", "the paper's number, in reading_unit", nullable=True),
        Column("granted_reading", "double", "error granted to it, in reading_unit", nullable=True),
        Column("found_reading", "double", "the lake's number, or what follows, in reading_unit", nullable=True),
        Column("found_sigma_reading", "double", "one sigma of found_reading; NULL where unknown", nullable=True),
        UNIT,
        Column("found_in_sigma_pull", "double", "found less stated over its sigma", nullable=True),
        Column("claim_verdict", "text", "what comes of it", allowed=CLAIM_VERDICTS),
        nullable(GROWTH_ID),
        nullable(SERIES),
        Column("found_result_id", "bigint", "the result that found_reading is or rests on first", nullable=True),
        Column("found_entity_id", "bigint", "the version of the asset that holds it; leads to its lineage",
               nullable=True),
        SIMULATED,
        NOTES,
    ),
)  # fmt: skip

CLAIMS_BENCHMARK = series_table(
    "claims_benchmark",
    "Fig. 3's ranges of the work function, each with what is known of its source.",
    grain="one system and method",
    key=("benchmark_index",),
    columns=(
        Column("benchmark_index", "integer", "number of the row", minimum=1),
        Column("system", "text", "what is modulated"),
        Column("modulation_method", "text", "how it is modulated"),
        Column("lowest_work_function_ev", "double", "lower end of the range", nullable=True),
        Column("highest_work_function_ev", "double", "upper end of the range", nullable=True),
        Column("work_function_range_ev", "double", "length of the range", nullable=True, minimum=0),
        Column("doi", "text", "digital object identifier of the source, where it is sure", nullable=True),
        Column("reference", "text", "the source"),
        Column("benchmark_locator", "text", "where the number stands in it"),
        Column("benchmark_status", "text", "verified in the text, of an abstract, digitised, unsourced, or this lake's",
               allowed=STATUSES),
        SIMULATED,
        NOTES,
    ),
)  # fmt: skip
