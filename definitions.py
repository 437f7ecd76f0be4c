"""What `dagster dev` serves, and the main path through the house.

    inbox/<growth_id>/...  ->  raw_files  ->  one room per technique  ->  the film's page

Each room stands in rutile_assets/techniques/<room>/ and is read in this order: tables.py, model.py, assets.py.
The list of rooms is rutile_assets/rooms.py; the command `rutile` runs the same definitions.
"""

from __future__ import annotations

from rutile_assets.ops.automation import build_definitions
from rutile_assets.rooms import ROOMS  # growth to ptychography, one a technique

defs = build_definitions(ROOMS)
