"""Tables of the second harmonic room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, GROWTH_ID, NOTES, POINT_INDEX, SCAN_INDEX, SERIES, film_table, series_table
from rutile_assets.table import Column, estimated
from rutile_assets.techniques.shg.dependence import DEPENDENCES
from rutile_assets.techniques.shg.model import VERDICTS

CHANNEL = Column("channel", "text", "polarisation, input first: ps is p in, s out; a where it is none of the four")
INCIDENCE = Column("angle_of_incidence_deg", "double", "of the beam, from the normal", minimum=0, maximum=90)
AZIMUTH = Column("azimuth_deg", "double", "turn of the sample about its normal, counter-clockwise from above")
IS_COUNTED = Column("is_counted", "boolean", "whether the intensity is a number of photons")
OBSERVABLES = ("ss part", "dipole part", "log10 of the pp mean")

SHG_SCAN = film_table(
    "shg_scan",
    "Second harmonic as measured: azimuth scans and polarimetry.",
    grain="one point of one channel",
    key=("file_id", "scan_index", "point_index"),
    columns=(
        FILE_ID,
        SCAN_INDEX,
        POINT_INDEX,
        CHANNEL,
        AZIMUTH,
        Column("polariser_deg", "double", "of the incoming light: 0 p, 90 s", nullable=True),
        Column("analyser_deg", "double", "of the second harmonic: 0 p, 90 s", nullable=True),
        Column("intensity_counts", "double", "second harmonic; in the file's own unit where is_counted is false"),
        IS_COUNTED,
        Column("reference_ratio", "double", "squared laser power over its mean; 1 where unknown", minimum=0),
    ),
)

SHG_SCAN_HARMONIC = film_table(
    "shg_scan_harmonic",
    "Azimuth harmonics of each channel: a_n cos(n phi) + b_n sin(n phi), least squares, background taken off.",
    grain="one order of one scan",
    key=("file_id", "scan_index", "harmonic_order"),
    columns=(
        FILE_ID,
        SCAN_INDEX,
        CHANNEL,
        Column("harmonic_order", "integer", "n", minimum=0),
        *estimated("cosine_counts", "a_n; in the file's own unit where is_counted is false"),
        *estimated("sine_counts", "b_n; in the file's own unit where is_counted is false"),
        *estimated("harmonic_amplitude_counts", "sqrt(a_n^2 + b_n^2), too large on the average by noise (Rice)"),
        IS_COUNTED,
    ),
)

SHG_FIT = film_table(
    "shg_fit",
    "Symmetry of a film's second harmonic: dipole of mm2, quadrupole of 4/mmm, both, or undecided.",
    grain="one angle of incidence",
    key=("angle_of_incidence_deg",),
    columns=(
        INCIDENCE,
        Column("symmetry", "text", "source of the second harmonic by BIC, or undecided", allowed=VERDICTS),
        Column("shg_delta_bic", "double", "BIC of the quadrupole minus BIC of the dipole; positive for the dipole"),
        Column("margin_delta_bic", "double", "BIC of the next best kind minus BIC of the best", minimum=0),
        Column("best_model", "text", "hypothesis of least BIC"),
        Column("best_rank", "integer", "parameters of it that the data tell", minimum=1),
        Column("reduced_chi_square", "double", "with counting noise alone; 1 where the model says all", minimum=0),
        Column("azimuth_offset_deg", "double", "zero of the azimuth: [001] in the plane of incidence"),
        Column("channels_count", "integer", "of pp, ps, sp, ss measured", minimum=0, maximum=4),
        *estimated("shg_ss_fraction", "part of ss in the four channels' mean; 0 for mm2's dipole", nullable=True),
        *estimated("shg_ed_fraction", "dipole's part of the power, from known shapes of both tensors", nullable=True),
        NOTES,
    ),
)

SHG_FIT_MODEL = film_table(
    "shg_fit_model",
    "Each hypothesis about the source of the second harmonic.",
    grain="one hypothesis at one angle of incidence",
    key=("angle_of_incidence_deg", "model"),
    columns=(
        INCIDENCE,
        Column("model", "text", "dipole, quadrupole or both; elements of one phase or of free phases"),
        Column("model_bic", "double", "-2 log likelihood + rank log(points)"),
        Column("model_rank", "integer", "parameters that the data tell", minimum=1),
        Column("model_reduced_chi_square", "double", "deviance over degrees of freedom", minimum=0),
    ),
)

SHG_FIT_POINT = film_table(
    "shg_fit_point",
    "Measured and fitted counts, background taken off and divided by the reference.",
    grain="one point",
    key=("angle_of_incidence_deg", "point_index"),
    columns=(
        INCIDENCE,
        POINT_INDEX,
        CHANNEL,
        AZIMUTH,
        Column("net_counts", "double", "counts less the background, over reference_ratio"),
        Column("best_model_counts", "double", "model of least BIC, as net_counts"),
        Column("dipole_counts", "double", "best dipole alone, as net_counts", nullable=True),
        Column("quadrupole_counts", "double", "best quadrupole alone, as net_counts", nullable=True),
    ),
)

SHG_TREND = series_table(
    "shg_trend",
    "Dependence of the second harmonic on the film's thickness, series by series.",
    grain="one observable of one series",
    key=("series", "observable"),
    columns=(
        SERIES,
        Column("observable", "text", "what changes", allowed=OBSERVABLES),
        Column("films_count", "integer", "films that tell it", minimum=0),
        Column("dependence", "text", "change at one thickness, no change, or undecided", allowed=DEPENDENCES),
        *estimated("shg_onset_nm", "thickness of the change", nullable=True, minimum=0),
        Column("trend_delta_bic", "double", "BIC without a change minus BIC with one; positive for a change"),
        Column("below_onset_fraction", "double", "level below the change, in the observable's own unit"),
        Column("jump_fraction", "double", "step at the change, in the observable's own unit"),
        Column("slope_per_nm", "double", "slope above the change, in the observable's own unit"),
        NOTES,
    ),
)

SHG_TREND_POINT = series_table(
    "shg_trend_point",
    "What the dependence on thickness rests on.",
    grain="one observable of one film",
    key=("growth_id", "observable"),
    columns=(
        GROWTH_ID,
        SERIES,
        Column("observable", "text", "what changes", allowed=OBSERVABLES),
        Column("trend_thickness_nm", "double", "XRR's, else the nominal one", minimum=0),
        *estimated("observable_fraction", "in the observable's own unit"),
    ),
)

SHG_TREND_CONTENT = series_table(
    "shg_trend_content",
    "Dependence of the second harmonic on the titanium content x of TixRu(1-x)O2.",
    grain="one channel",
    key=("channel",),
    columns=(
        CHANNEL,
        Column("films_count", "integer", "films that tell it", minimum=0),
        *estimated("log10_amplitude_slope_ratio", "d log10(mean amplitude) / dx"),
        Column("rise_probability", "double", "one-sided, that a slope of zero or more looks as falling", minimum=0),
        Column("is_monotonic", "boolean", "whether it falls from each content to the next within two sigma"),
        NOTES,
    ),
)
