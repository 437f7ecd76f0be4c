"""Tables of the figures: what each panel shows, in words."""

from __future__ import annotations

from rutile_assets.columns import series_table
from rutile_assets.results.claims_tables import SIMULATED
from rutile_assets.table import Column, Table

COLUMNS = (
    Column("panel_letter", "text", "the panel's letter in the paper's figure"),
    Column("panel_title", "text", "what the panel is, in a few words"),
    Column("panel_caption", "text", "what stands below the panel"),
    Column("panel_alt", "text", "what the panel says to whom cannot see it"),
    Column("is_drawn", "boolean", "whether there are data to draw"),
    Column("panel_lacks", "text", "what is missing where nothing is drawn", nullable=True),
    Column("shown_growth_ids", "text", "films that the panel shows, separated by blanks"),
    Column("shown_assets", "text", "assets whose tables the panel shows, separated by blanks"),
    Column("drawn_digest", "text", "digest of what is drawn: the same digest, the same drawing"),
    SIMULATED,
)


def figure_table(name: str, shows: str) -> Table:
    """Return the table of a figure, one row a panel."""
    return series_table(
        name,
        f"Panels of {shows}; the files stand in reports/figures.",
        grain="one panel",
        key=("panel_letter",),
        columns=COLUMNS,
    )
