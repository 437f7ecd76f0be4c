"""Tables of the growth room: what each film is, and its layers as they were meant."""

from __future__ import annotations

from rutile_assets.columns import LAYER_INDEX, MATERIAL, SERIES, film_table
from rutile_assets.table import Column

GROWTH = film_table(
    "growth",
    "Films as their growers describe them.",
    grain="one growth",
    key=(),
    columns=(
        Column("origin", "text", "measured or simulated", allowed=("measured", "simulated")),
        Column("grown_at", "timestamp", "start of the growth, the lab's clock", nullable=True),
        Column("growth_method", "text", "how it was grown", nullable=True),
        Column("operator", "text", "who grew it", nullable=True),
        Column("substrate_material", "text", "chemical formula of the substrate"),
        Column("substrate_orientation", "text", "Miller indices of its surface", nullable=True),
        Column("substrate_vendor", "text", "who made it", nullable=True),
        Column("substrate_treatment", "text", "what was done to it before growth", nullable=True),
        Column("substrate_density_g_per_cm3", "double", "density as given", nullable=True, minimum=0),
        Column("oxygen_pressure_torr", "double", "oxygen pressure during growth", nullable=True, minimum=0),
        Column("plasma_power_w", "double", "power of the oxygen plasma", nullable=True, minimum=0),
        Column("substrate_temperature_c", "double", "substrate temperature during growth", nullable=True),
        Column("cooldown_to_c", "double", "temperature down to which it was cooled in oxygen plasma", nullable=True),
        Column("growth_duration_s", "double", "length of the growth", nullable=True, minimum=0),
        Column("stack", "text", "the layers from the substrate up, with nominal thicknesses"),
        SERIES,
        Column("related", "text", "growth_ids of related films, separated by blanks"),
        Column("growth_notes", "text", "the grower's own words", nullable=True),
    ),
)

GROWTH_LAYER = film_table(
    "growth_layer",
    "Layers as they were meant; what was measured stands in the results.",
    grain="one layer of one film",
    key=("layer_index",),
    columns=(
        LAYER_INDEX,
        MATERIAL,
        Column("nominal_thickness_nm", "double", "thickness as intended", minimum=0),
        Column("layer_role", "text", "what the layer is for", nullable=True, allowed=("buffer", "film", "cap")),
        Column("precursor", "text", "source material", nullable=True),
        Column("source_temperature_c", "double", "temperature of the source", nullable=True),
        Column("density_g_per_cm3", "double", "mass density", nullable=True, minimum=0),
    ),
)
