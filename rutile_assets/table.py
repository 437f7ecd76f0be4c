"""One declaration of a table; pandera, Arrow, SQL and the docs page are made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow

from rutile_assets.errors import InvalidRecord
from rutile_assets.units import STD_SOURCES, unit_of

# our word -> (SQL, Arrow, pandas nullable)
TYPES: dict[str, tuple[str, arrow.DataType, str]] = {
    "double": ("DOUBLE", arrow.float64(), "float64"),
    "bigint": ("BIGINT", arrow.int64(), "Int64"),
    "integer": ("INTEGER", arrow.int32(), "Int32"),
    "boolean": ("BOOLEAN", arrow.bool_(), "boolean"),
    "text": ("VARCHAR", arrow.string(), "string"),
    "timestamp": ("TIMESTAMP", arrow.timestamp("us"), "datetime64[us]"),
}


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
        Lower case, ending in a unit suffix of units.py where it is a quantity.
    type : str
        A key of `TYPES`.
    description : str
        What the number is, its sign and its axis; one meaning in the whole lake.
    nullable : bool
        Whether NULL (unknown) may stand here.
    minimum, maximum : float, optional
        Inclusive physical bounds.
    allowed : tuple of str
        The closed set of values, if there is one.
    """

    name: str
    type: str
    description: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()

    @property
    def unit(self) -> str | None:
        """The unit that the name carries; '' for pure numbers, None for names and ids."""
        return unit_of(self.name) if self.type in {"double", "integer", "bigint"} else None

    @property
    def checks(self) -> list[pa.Check]:
        """The bounds as pandera checks."""
        checks = []
        if self.minimum is not None:
            checks.append(pa.Check.ge(self.minimum))
        if self.maximum is not None:
            checks.append(pa.Check.le(self.maximum))
        if self.allowed:
            checks.append(pa.Check.isin(self.allowed))
        return checks


def estimated(
    name: str, description: str, *, nullable: bool = False, minimum: float | None = None
) -> tuple[Column, ...]:
    """Return the three columns of an estimated quantity: value, ``_std`` (1 sigma) and ``_std_source``."""
    return (
        Column(name, "double", description, nullable=nullable, minimum=minimum),
        Column(
            f"{name}_std", "double", f"one-sigma uncertainty of {name}; NULL where unknown", nullable=True, minimum=0
        ),
        Column(f"{name}_std_source", "text", f"where {name}_std comes from", nullable=True, allowed=STD_SOURCES),
    )


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Parameters
    ----------
    name : str
        An asset's main table has the asset's name; its further tables begin with it (``xrr_fit_layer``).
    description, grain : str
        What it holds, and what one row is.
    key : tuple of str
        The columns that together name a row; unique.
    columns : tuple of Column
        In order.
    """

    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        """The names in order."""
        return [column.name for column in self.columns]

    @cached_property
    def arrow_schema(self) -> arrow.Schema:
        """Arrow schema with unit and description in each field's metadata."""
        return arrow.schema(
            [
                arrow.field(c.name, TYPES[c.type][1], c.nullable, {"unit": c.unit or "", "description": c.description})
                for c in self.columns
            ],
            {"table": self.name, "grain": self.grain, "key": ",".join(self.key)},
        )

    @cached_property
    def pandera_schema(self) -> pa.DataFrameSchema:
        """Pandera schema: types, bounds, closed sets, no NULL where none may be, unique key, no other column."""
        columns = {
            c.name: pa.Column(TYPES[c.type][2], c.checks, nullable=c.nullable, description=c.description)
            for c in self.columns
        }
        return pa.DataFrameSchema(
            columns, strict=True, unique=list(self.key), name=self.name, description=self.description
        )

    def frame(self, rows: pd.DataFrame | Sequence[dict[str, object]]) -> pd.DataFrame:
        """Return `rows` as a checked frame in the declared order and types.

        Raises
        ------
        InvalidRecord
            A column is missing or unknown, a value is out of bounds, NULL where it may not be, or a key repeats.
        """
        frame = (
            pd.DataFrame(rows, columns=self.column_names) if isinstance(rows, list) and not rows else pd.DataFrame(rows)
        )
        missing = [name for name in self.column_names if name not in frame.columns]
        unknown = [name for name in frame.columns if name not in self.column_names]
        required = [c.name for c in self.columns if c.name in missing and not c.nullable]
        if required or unknown:
            raise self._broken(f"columns missing {required}, unknown {unknown}")
        try:
            typed = {c.name: self._typed(frame, c) for c in self.columns}
        except (TypeError, ValueError) as fault:
            raise self._broken(str(fault)) from fault
        try:
            return self.pandera_schema.validate(pd.DataFrame(typed, columns=self.column_names), lazy=True)
        except pa.errors.SchemaErrors as faults:
            cases = faults.failure_cases[["column", "check", "failure_case"]].head(5)
            told = "; ".join(f"{c}: {k} broken by {v!r}" for c, k, v in cases.itertuples(index=False))
            raise self._broken(told) from faults

    def arrow_table(self, frame: pd.DataFrame) -> arrow.Table:
        """Return a checked frame as an Arrow table of `arrow_schema`."""
        return arrow.Table.from_pandas(frame, schema=self.arrow_schema, preserve_index=False)

    def sql(self, catalog: str) -> list[str]:
        """Return the statements that create the table and comment on it and on each column."""
        fields = ", ".join(f'"{c.name}" {TYPES[c.type][0]}{"" if c.nullable else " NOT NULL"}' for c in self.columns)
        comments = [
            f'COMMENT ON COLUMN {catalog}."{self.name}"."{c.name}" IS {_quoted(c.description + _in_unit(c))}'
            for c in self.columns
        ]
        return [
            f'CREATE TABLE IF NOT EXISTS {catalog}."{self.name}" ({fields})',
            f'COMMENT ON TABLE {catalog}."{self.name}" IS {_quoted(f"{self.description} One row: {self.grain}.")}',
            *comments,
        ]

    @staticmethod
    def sql_field(column: Column) -> str:
        """Return a column's name and SQL type, as a table that already has rows can take it."""
        return f'"{column.name}" {TYPES[column.type][0]}'

    def markdown(self) -> str:
        """Return the docs page's section on this table."""
        rows = "\n".join(
            f"| `{c.name}` | {c.type} | {c.unit or ''} | {'yes' if c.nullable else 'no'} | {c.description} |"
            for c in self.columns
        )
        return (
            f"### {self.name}\n\n{self.description} One row: {self.grain}. "
            f"Key: {', '.join(f'`{k}`' for k in self.key)}.\n\n"
            f"| column | type | unit | may be NULL | meaning |\n|---|---|---|---|---|\n{rows}\n"
        )

    def _typed(self, frame: pd.DataFrame, column: Column) -> pd.Series[Any]:
        if column.name not in frame.columns:
            return pd.Series([None] * len(frame), dtype=TYPES[column.type][2])
        given: pd.Series[Any] = frame[column.name].reset_index(drop=True)
        return given.astype(pd.api.types.pandas_dtype(TYPES[column.type][2]))

    def _broken(self, what: str) -> InvalidRecord:
        return InvalidRecord(
            f"table {self.name}: {what}", self.grain, f"See docs/tables.md#{self.name} for the columns."
        )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _in_unit(column: Column) -> str:
    return f" [{column.unit}]" if column.unit else ""
