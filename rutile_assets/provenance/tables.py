"""Provenance tables: append-only; every number leads through them to bytes, settings, code and parameters."""

from __future__ import annotations

from rutile_assets.columns import ENTITY_ID, FILE_ID, GROWTH_ID, MATERIAL, NOTES, SERIES, TEMPERATURE, nullable
from rutile_assets.provenance.tolerance import VERDICTS
from rutile_assets.table import Column, Table
from rutile_assets.units import STD_SOURCES

ACTIVITY_ID = Column("activity_id", "bigint", "one execution of one asset for one film, or one ingest of one file")
RUN_ID = Column("run_id", "bigint", "the run that the activity belonged to")
SHA256 = Column("sha256", "text", "sha256 of the file's bytes: its name in the vault")
TECHNIQUE = Column("technique", "text", "the room that it belongs to")
DATA_VERSION = Column(
    "data_version", "text", "digest of the content; of a raw file, of its bytes and declared settings"
)
ENVIRONMENT_ID = Column("environment_id", "text", "digest of an environment")
ASSET = Column("asset", "text", "the asset; ingest for an ingest, the technique for a raw file")
CODE_VERSION = Column("code_version", "text", "digest of the source of the asset's function and of all it uses here")

RAW_OBJECT = Table(
    "raw_object",
    "Bytes in the vault.",
    "one distinct file content",
    ("sha256",),
    (SHA256, Column("size_bytes", "bigint", "length of the file", minimum=0), Column("first_seen", "timestamp", "UTC")),
)

RAW_FILE = Table(
    "raw_file",
    "Files that were accepted, each with what its reader found; a replaced file's old row stays.",
    "one version of one file of one film",
    ("file_id",),
    (
        FILE_ID,
        SHA256,
        GROWTH_ID,
        TECHNIQUE,
        Column("original_path", "text", "path inside the film's folder, with forward slashes"),
        Column("instrument", "text", "as the file says", nullable=True),
        Column("acquired_at", "timestamp", "start of the measurement by the instrument's clock", nullable=True),
        Column("settings", "text", "what the instrument and the sidecar recorded, JSON"),
        Column("declared", "text", "the sidecar's part of the settings, JSON; it wins over the file"),
        Column("reader", "text", "the format"),
        Column("reader_version", "text", "code version of the reader"),
        DATA_VERSION,
        ACTIVITY_ID,
        Column("ingested_at", "timestamp", "UTC"),
        Column("is_withdrawn", "boolean", "true on the row that says that the file left the inbox"),
    ),
)

REJECTED_FILE = Table(
    "rejected_file",
    "Files that were refused, and what to do about each; their bytes are in the vault all the same.",
    "one refusal",
    ("rejection_id",),
    (
        Column("rejection_id", "bigint", "id of the refusal"),
        nullable(SHA256),
        Column("path", "text", "the file as the person gave it"),
        nullable(GROWTH_ID),
        Column("found", "text", "what is in the file"),
        Column("expected", "text", "what had to be there"),
        Column("what_to_do", "text", "the next step"),
        ACTIVITY_ID,
        Column("rejected_at", "timestamp", "UTC"),
    ),
)

ENVIRONMENT = Table(
    "environment",
    "Machines and package sets that numbers were made with.",
    "one distinct environment",
    ("environment_id",),
    (
        ENVIRONMENT_ID,
        Column("python", "text", "version of Python"),
        Column("platform", "text", "operating system and processor"),
        Column("packages", "text", "installed packages and versions, JSON"),
        Column("torch", "text", "version of torch", nullable=True),
        Column("device", "text", "cuda where an NVIDIA driver is present, else cpu"),
        Column("processor", "text", "model and widest vectors; NULL where it was not kept yet", nullable=True),
    ),
)

RUN = Table(
    "run",
    "Runs: what started them, on which code and machine.",
    "one run",
    ("run_id",),
    (
        RUN_ID,
        Column("dagster_run_id", "text", "Dagster's id of the run; NULL outside Dagster", nullable=True),
        Column("git_commit", "text", "commit of the checkout the code came from", nullable=True),
        Column("git_dirty", "boolean", "whether the checkout had uncommitted changes", nullable=True),
        ENVIRONMENT_ID,
        Column("trigger", "text", "what started it: cli, schedule, sensor, ui"),
        Column("started_at", "timestamp", "UTC"),
    ),
)

ACTIVITY = Table(
    "activity",
    "What was done: one asset for one film, with its code, parameters and seed.",
    "one activity",
    ("activity_id",),
    (
        ACTIVITY_ID,
        RUN_ID,
        ASSET,
        Column("partition", "text", "the film; NULL for what spans films", nullable=True),
        CODE_VERSION,
        Column("parameters", "text", "the asset's parameters as used, JSON"),
        Column("seed", "bigint", "seed of its random numbers; NULL where it draws none", nullable=True),
        Column("snapshot", "bigint", "the lake's snapshot that the inputs were read at", nullable=True),
        Column("started_at", "timestamp", "UTC"),
        Column("wall_time_s", "double", "wall time of the computation", minimum=0),
    ),
)

CODE = Table(
    "code",
    "What a code version is made of: each function, class and constant with the digest of its source.",
    "one code version",
    ("code_version",),
    (
        CODE_VERSION,
        Column("parts", "text", "qualified name -> digest, JSON"),
        Column(
            "part_details",
            "text",
            "constant -> its value, method -> digest, JSON; NULL before it was kept",
            nullable=True,
        ),
    ),
)

ENTITY = Table(
    "entity",
    "What was made: one version of one asset's data for one film, or one raw file.",
    "one entity",
    ("entity_id",),
    (
        ENTITY_ID,
        Column("kind", "text", "raw_file or asset", allowed=("raw_file", "asset")),
        ASSET,
        nullable(GROWTH_ID),
        DATA_VERSION,
        ACTIVITY_ID,
    ),
)

EDGE = Table(
    "edge",
    "Lineage: which entity was made from which.",
    "one parent of one child",
    ("child", "parent", "role"),
    (
        Column("child", "bigint", "entity_id of what was made"),
        Column("parent", "bigint", "entity_id of what it was made from"),
        Column("role", "text", "what the parent served as: the upstream asset, 'file', 'declared settings'"),
    ),
)

RESULT_ID = Column("result_id", "bigint", "one number")
QUANTITY = Column("quantity", "text", "name with its unit, as in docs/tables.md")
SUBJECT = Column("subject", "text", "the layer, temperature or image it belongs to; empty for the whole film")
VALUE = Column("value", "double", "in the unit of the quantity's name")
SIGMA = Column("sigma", "double", "total one-sigma uncertainty; NULL where unknown", nullable=True, minimum=0)
UNIT = Column("unit", "text", "unit of value and sigma; empty for a pure number")

RESULT = Table(
    "result",
    "Numbers that people ask for, every version of each; the view `results` says which are current.",
    "one quantity of one subject in one version",
    ("result_id",),
    (
        RESULT_ID,
        ENTITY_ID,
        nullable(GROWTH_ID),
        nullable(SERIES),
        nullable(FILE_ID),
        TECHNIQUE,
        QUANTITY,
        SUBJECT,
        nullable(MATERIAL),
        nullable(TEMPERATURE),
        VALUE,
        SIGMA,
        Column("sigma_statistical", "double", "its statistical part", nullable=True, minimum=0),
        Column("sigma_systematic", "double", "its systematic part; the parts by name: result_systematic", minimum=0),
        Column("sigma_source", "text", "where the statistical part comes from", allowed=STD_SOURCES),
        UNIT,
        Column("method", "text", "how it was made"),
        NOTES,
    ),
)

RESULT_COVARIANCE = Table(
    "result_covariance",
    "Statistical covariance of numbers that were estimated together.",
    "one pair, the smaller id first",
    ("result_id", "other_result_id"),
    (
        RESULT_ID,
        Column("other_result_id", "bigint", "the other number"),
        Column("covariance", "double", "in the product of the two units", nullable=True),
    ),
)

RESULT_SYSTEMATIC = Table(
    "result_systematic",
    "Named systematic effects: the shift that one sigma of the effect makes in each number.",
    "one effect on one number",
    ("result_id", "effect"),
    (
        RESULT_ID,
        Column("effect", "text", "name of the effect; the same name and entity move together"),
        Column("shift", "double", "signed one-sigma shift in the unit of the number"),
    ),
)

VERIFICATION = Table(
    "verification",
    "Recomputations from the vault's bytes in a clean home, and how each lies to what was recorded.",
    "one number, or the rows of one version (result_id NULL), in one verification",
    ("verification_id",),
    (
        Column("verification_id", "bigint", "one comparison"),
        Column("verified_at", "timestamp", "UTC"),
        ACTIVITY_ID,
        ENTITY_ID,
        nullable(RESULT_ID),
        ASSET,
        nullable(GROWTH_ID),
        nullable(SERIES),
        nullable(QUANTITY),
        nullable(SUBJECT),
        nullable(VALUE),
        SIGMA,
        nullable(UNIT),
        Column("difference", "double", "recomputed minus recorded value, in the unit of the quantity", nullable=True),
        Column("tolerance", "text", "what the recomputation was held to"),
        Column("verification_verdict", "text", "how the recomputation came out", allowed=VERDICTS),
        Column("reason", "text", "what differs, or why there is no recomputation; empty where nothing does"),
        ENVIRONMENT_ID,
        CODE_VERSION,
    ),
)

ORIGIN_ID = Column("origin_id", "bigint", "one crate that was taken in")

ORIGIN = Table(
    "origin",
    "Crates of other laboratories that were taken in, each with the laboratory that made it.",
    "one crate taken in",
    ("origin_id",),
    (
        ORIGIN_ID,
        Column("crate_id", "text", "sha256 of the crate's manifest, which holds the sha256 of each of its files"),
        Column("crate_name", "text", "the crate's title"),
        Column("organisation", "text", "the laboratory that made it, as it says"),
        Column("organisation_url", "text", "its address", nullable=True),
        Column("license", "text", "the terms of its data", nullable=True),
        Column("made_at", "timestamp", "the crate's date, UTC"),
        Column("source_path", "text", "where it was taken from"),
        ACTIVITY_ID,
        Column("imported_at", "timestamp", "UTC"),
    ),
)

ORIGIN_FILM = Table(
    "origin_film",
    "Films that came with a crate.",
    "one film of one crate",
    ("origin_id", "growth_id"),
    (ORIGIN_ID, GROWTH_ID, Column("original_growth_id", "text", "its name in the laboratory that made it")),
)

ORIGIN_NUMBER = Table(
    "origin_number",
    "What each id of a crate was in the lake that it came from.",
    "one id",
    ("local_id",),
    (
        ORIGIN_ID,
        Column("local_id", "bigint", "the id here: of an entity, file, activity, run or result"),
        Column("original_id", "bigint", "the id in the lake that it came from"),
        Column("original_snapshot", "bigint", "of an activity, that lake's snapshot of its inputs", nullable=True),
    ),
)

PROVENANCE_TABLES = (
    RAW_OBJECT, RAW_FILE, REJECTED_FILE, ENVIRONMENT, RUN, ACTIVITY, CODE, ENTITY, EDGE,
    RESULT, RESULT_COVARIANCE, RESULT_SYSTEMATIC, VERIFICATION, ORIGIN, ORIGIN_FILM, ORIGIN_NUMBER,
)  # fmt: skip
