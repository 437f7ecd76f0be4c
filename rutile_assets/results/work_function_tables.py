"""Tables of the work function on one scale, and against thickness."""

from __future__ import annotations

from rutile_assets.columns import GROWTH_ID, NOTES, POINT_INDEX, SERIES, series_table
from rutile_assets.table import Column, estimated

CURVE_MODEL = Column(
    "curve_model",
    "text",
    "linear, saturating: that band and a peak; smooth 3/2, smooth 5/2: no shape assumed; average: over all of them",
)

WORK_FUNCTION = series_table(
    "work_function",
    "Work functions on the one scale that contact potentials and a reference's photoelectrons make.",
    grain="one sample that the Kelvin probe has seen",
    key=("growth_id",),
    columns=(
        GROWTH_ID,
        SERIES,
        Column("reference_growth_id", "text", "the sample whose photoelectrons set the scale", nullable=True),
        *estimated(
            "work_function_kpfm_ev",
            "work function of the surface: the reference's by photoelectrons plus e (V_reference - V)",
            nullable=True,
        ),
        Column(
            "work_function_own_ev",
            "double",
            "part of the one-sigma uncertainty that the sample shares with no other: what counts between samples",
            nullable=True,
            minimum=0,
        ),
        Column("visits_count", "integer", "visits to the microscope that the number rests on", minimum=0),
        *estimated("film_thickness_nm", "thickness of the layer that is not of the substrate's material; 0: none"),
        NOTES,
    ),
)

WORK_FUNCTION_CURVE = series_table(
    "work_function_curve",
    "The work function of a series against thickness as it is drawn: curve, error, and the band's share twice.",
    grain="one point of one series' curve",
    key=("series", "point_index"),
    columns=(
        SERIES,
        POINT_INDEX,
        Column("curve_thickness_nm", "double", "thickness", minimum=0),
        *estimated("curve_work_function_ev", "average over the descriptions of the curve"),
        Column("linear_band_ev", "double", "straight line from the substrate to the thickest film"),
        Column("saturating_band_ev", "double", "the same, saturating with the fitted length", nullable=True),
    ),
)

WORK_FUNCTION_FIT = series_table(
    "work_function_fit",
    "Descriptions of a series' curve: how well each does, where it peaks, and what is left over its bands.",
    grain="one description of one series",
    key=("series", "curve_model"),
    columns=(
        SERIES,
        CURVE_MODEL,
        Column("points_count", "integer", "points that were fitted", minimum=1),
        Column("curve_reduced_chi_square", "double", "chi-square a degree of freedom, with all errors", nullable=True),
        Column("curve_freedom_count", "integer", "points less parameters", nullable=True),
        Column("curve_bic", "double", "Bayesian information criterion; smaller is better", nullable=True),
        Column("curve_probability", "double", "weight in the average; 0 where chi-square refuses it", minimum=0),
        Column("has_peak", "boolean", "whether the series' maximum between its films is claimed"),
        *estimated("peak_thickness_nm", "where the curve has its maximum"),
        *estimated("peak_work_function_ev", "the maximum"),
        *estimated("sigmoid_centre_nm", "t_c of the polar term: where half of it is gone", nullable=True),
        *estimated("saturation_length_nm", "length over which the band saturates", nullable=True),
        *estimated("modulation_ev", "maximum of the curve less the film with the lowest work function"),
        *estimated("over_linear_ev", "maximum less the straight line from the substrate to the thickest film"),
        *estimated("over_saturating_ev", "maximum less a saturating band between the same ends", nullable=True),
        Column(
            "over_linear_above_1_ev_probability", "double", "that over_linear_ev exceeds 1 eV", minimum=0, maximum=1
        ),
        Column(
            "over_saturating_above_1_ev_probability",
            "double",
            "that over_saturating_ev exceeds 1 eV",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        NOTES,
    ),
)
