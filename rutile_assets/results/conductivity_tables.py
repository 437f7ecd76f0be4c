"""Tables of conductance, carriers and onsets against thickness."""

from __future__ import annotations

from rutile_assets.columns import GROWTH_ID, NOTES, POINT_INDEX, SERIES, TEMPERATURE, series_table
from rutile_assets.physics.relaxation_onset import VERDICTS
from rutile_assets.physics.two_channel import SHAPES
from rutile_assets.table import Column, estimated

THICKNESS = (
    Column("trend_thickness_nm", "double", "XRR's, else the nominal one", minimum=0),
    Column("trend_thickness_own_nm", "double", "its one sigma that other films do not share", minimum=0),
)
READINGS = INSULATING, AS_UNCAPPED, LITERAL = "insulating", "as uncapped", "paper_literal"

CONDUCTIVITY = series_table(
    "conductivity",
    "Two channels: slope and intercept of the sheet conductance against thickness, and what a kink tells of the rest.",
    grain="one series at one temperature",
    key=("series", "temperature_k"),
    columns=(
        SERIES,
        TEMPERATURE,
        Column("films_count", "integer", "films that tell it", minimum=0),
        Column("thinnest_nm", "double", "thickness of the thinnest film", minimum=0),
        Column("channel_shape", "text", "kink: thin films show the interface alone; line: none does", allowed=SHAPES),
        Column("channel_delta_bic", "double", "BIC of the line minus BIC with a kink", nullable=True),
        *estimated("bulk_conductivity_s_per_cm", "slope of the line, sigma_b"),
        *estimated("line_intercept_nm", "x0, where the line has no conductance: what is measured of the interface"),
        *estimated("interface_conductivity_s_per_cm", "sigma_i, of films below the kink", nullable=True),
        *estimated("interface_thickness_nm", "t_i = x0/(1 - sigma_i/sigma_b); NULL without a kink", nullable=True),
        Column("bulk_intercept_correlation_ratio", "double", "correlation of slope and intercept, all errors"),
        Column("channel_chi_square_number", "double", "chi-square of conductances and thicknesses", minimum=0),
        Column("channel_freedom_count", "integer", "films less parameters", minimum=0),
        Column("film_scatter_ratio", "double", "relative scatter between films beyond their errors", minimum=0),
        Column("bulk_over_literature_ratio", "double", "sigma_b over bulk RuO2 at 300 K", nullable=True, minimum=0),
        NOTES,
    ),
)

CONDUCTIVITY_POINT = series_table(
    "conductivity_point",
    "Each film beside the fit, the line, and the fit that was made without it.",
    grain="one film at one temperature",
    key=("growth_id", "temperature_k"),
    columns=(
        GROWTH_ID,
        SERIES,
        TEMPERATURE,
        *THICKNESS,
        *estimated("sigma_2d_s", "1 / R_s", minimum=0),
        Column("channel_2d_s", "double", "fit at that thickness"),
        Column("line_2d_s", "double", "the line alone at that thickness; negative below its intercept"),
        Column("is_on_line", "boolean", "whether the film is thicker than the kink: films below it tell no line"),
        Column("channel_residual", "double", "conductance less the fit, in sigma of both variables"),
        *estimated("foretold_2d_s", "fit without this film, at its thickness", nullable=True),
    ),
)

CONDUCTIVITY_READING = series_table(
    "conductivity_reading",
    "Interface thickness by what is assumed of the interface's conductance: only x0 is measured.",
    grain="one assumption on one series at one temperature",
    key=("series", "temperature_k", "assumption"),
    columns=(
        SERIES,
        TEMPERATURE,
        Column(
            "assumption",
            "text",
            "insulating: sigma_i = 0; as uncapped: sigma_i of the uncapped series, mean over interfaces;"
            " paper_literal: the same, summed over interfaces as printed",
            allowed=READINGS,
        ),
        Column("assumed_interface_s_per_cm", "double", "sigma_i that is taken", minimum=0),
        *estimated("read_thickness_nm", "all interfaces together; NULL where none follows", nullable=True),
    ),
)

CARRIERS = series_table(
    "carriers",
    "Carriers against thickness: dip of the sheet density, peak of the mobility, density of thick films.",
    grain="one series at one temperature",
    key=("series", "temperature_k"),
    columns=(
        SERIES,
        TEMPERATURE,
        Column("films_count", "integer", "films that tell it", minimum=0),
        *estimated("density_dip_thickness_nm", "where the sheet density is least; NULL: no dip told", nullable=True),
        *estimated("mobility_peak_thickness_nm", "where the mobility is largest; NULL: no peak told", nullable=True),
        Column("dip_peak_correlation_ratio", "double", "statistical correlation of both places", nullable=True),
        Column("density_dip_shape_nm", "double", "part of its error: choice of the dip's shape", nullable=True),
        Column("mobility_peak_shape_nm", "double", "part of its error: choice of the dip's shape", nullable=True),
        *estimated("carrier_density_per_cm3", "slope of the sheet density above 4 nm", nullable=True),
        Column("thick_films_count", "integer", "films above 4 nm that tell it", minimum=0),
        Column("thick_scatter_ratio", "double", "scatter about that line beyond the errors", nullable=True, minimum=0),
        Column("carrier_probability", "double", "that chance makes chi-square as large, best model", minimum=0),
        Column("carrier_models", "text", "shapes of the dip and baselines that count, with their weights"),
        NOTES,
    ),
)

CARRIERS_POINT = series_table(
    "carriers_point",
    "Sheet density and mobility of each film beside its thickness.",
    grain="one film at one temperature",
    key=("growth_id", "temperature_k"),
    columns=(
        GROWTH_ID,
        SERIES,
        TEMPERATURE,
        *THICKNESS,
        *estimated("sheet_density_per_cm2", "1/(e |slope|); NULL unless linear", nullable=True, minimum=0),
        *estimated("mobility_cm2_per_vs", "|slope| / R_s; NULL unless linear", nullable=True, minimum=0),
    ),
)

CARRIERS_CURVE = series_table(
    "carriers_curve",
    "Sheet density and mobility of the models that count, averaged, for figures.",
    grain="one thickness of one series at one temperature",
    key=("series", "temperature_k", "point_index"),
    columns=(
        SERIES,
        TEMPERATURE,
        POINT_INDEX,
        Column("curve_thickness_nm", "double", "thickness", minimum=0),
        Column("curve_density_per_cm2", "double", "sheet density", minimum=0),
        Column("curve_mobility_cm2_per_vs", "double", "mobility", minimum=0),
    ),
)

ONSET = series_table(
    "onset",
    "Thicknesses at which a series changes, each by what changes there.",
    grain="one event of one series",
    key=("series", "event"),
    columns=(
        SERIES,
        Column("event", "text", "what changes"),
        *estimated("event_thickness_nm", "where; NULL: no change told", nullable=True),
        Column("event_after_nm", "double", "thickest film before it, no law assumed", nullable=True, minimum=0),
        Column("event_before_nm", "double", "thinnest film beyond it, no law assumed", nullable=True, minimum=0),
        Column("event_verdict", "text", "onset, coherent or undecided of a relaxation; told of the rest",
               allowed=(*VERDICTS, "told")),
        Column("event_source", "text", "the asset that it comes from"),
        NOTES,
    ),
)  # fmt: skip

ONSET_ORDERING = series_table(
    "onset_ordering",
    "Which of two events comes first with growing thickness, by draws from their joint errors.",
    grain="one pair of events of one series",
    key=("series", "first_event", "second_event"),
    columns=(
        SERIES,
        Column("first_event", "text", "the event that is asked to come at the smaller thickness"),
        Column("second_event", "text", "the event that is asked to come at the larger thickness"),
        Column("ordering_probability", "double", "that the first comes first", minimum=0, maximum=1),
        *estimated("ordering_distance_nm", "second less first"),
        NOTES,
    ),
)

ONSET_POINT = series_table(
    "onset_point",
    "Relaxation of each film along each direction beside its thickness.",
    grain="one direction of one film",
    key=("growth_id", "direction"),
    columns=(
        GROWTH_ID,
        SERIES,
        Column("direction", "text", "along which the film relaxes", allowed=("[001]", "[1-10]")),
        *THICKNESS,
        *estimated("relaxation_fraction", "R: 0 coherent, 1 bulk"),
    ),
)

BULK_S_PER_CM = 28400.0  # RuO2 at 300 K, as quoted by doi 10.1038/s41467-026-69200-x from its ref. 46
