"""Measurements in the formats of their field: ORSO .ort for reflectivity, NeXus for what has a definition."""

from rutile_assets.provenance.crate.write import Exchange
from rutile_assets.results.exchange.nexus import nexus_files
from rutile_assets.results.exchange.ort import ort_files

EXCHANGES: tuple[Exchange, ...] = (ort_files, nexus_files)
