"""Tables of the 4D-STEM room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, NOTES, film_table
from rutile_assets.table import Column, estimated

SAYS = ("sidecar", "xml", "hdr", "file", "data")


def _given(name: str, description: str, *, least: float | None = 0) -> tuple[Column, ...]:
    """Return a value of the calibration and who gave it."""
    return (
        Column(name, "double", description, nullable=True, minimum=least),
        Column(f"{name}_source", "text", f"who gave {name}", nullable=True, allowed=SAYS),
    )


STEM4D_CALIBRATION = film_table(
    "stem4d_calibration",
    "Calibration of each 4D-STEM scan: what was given, by whom, and what the data say themselves.",
    grain="one scan of diffraction patterns",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("scan_slow_count", "integer", "positions along the slow axis", minimum=1),
        Column("scan_fast_count", "integer", "positions along the fast axis", minimum=1),
        Column("detector_rows_count", "integer", "rows of a diffraction pattern", minimum=1),
        Column("detector_columns_count", "integer", "columns of a diffraction pattern", minimum=1),
        *_given("accelerating_voltage_kv", "accelerating voltage"),
        *_given("convergence_semi_angle_mrad", "semi-angle of the incoming cone"),
        *_given("detector_pixel_mrad", "angle of one detector pixel"),
        *_given("scan_step_nm", "distance between positions, both axes"),
        *_given("overfocus_nm", "distance of the crossover above the sample; below it is negative", least=None),
        *_given("beam_current_pa", "current of the electron beam"),
        *_given("dwell_time_ms", "time of one diffraction pattern"),
        *_given("gain_factor", "detector units (ADU) that one electron gives: adu_per_electron of the sidecar"),
        *_given("sample_thickness_nm", "thickness of the lamella along the beam"),
        Column("slow_axis", "text", "crystal direction of the slow scan axis", nullable=True),
        *estimated("disc_row_index", "row of the centre of the bright-field disc, from 0"),
        *estimated("disc_column_index", "column of the centre of the bright-field disc, from 0"),
        *estimated("disc_radius_count", "radius of the bright-field disc in pixels", minimum=0),
        *estimated("pixel_from_disc_mrad", "convergence semi-angle over the disc's radius", nullable=True, minimum=0),
        Column(
            "pixel_disagreement_pull", "double", "(given - from disc) / sigma of detector_pixel_mrad", nullable=True
        ),
        Column("detector_transpose", "boolean", "whether (slow, fast) is swapped before it is turned", nullable=True),
        *estimated("detector_rotation_deg", "turn from (slow, fast) to the detector's (row, column)", nullable=True),
        Column(
            "orientation_source", "text", "who says how the detector lies", nullable=True, allowed=("data", "sidecar")
        ),
        Column("orientation_method", "text", "shadow images or curl", nullable=True),
        Column(
            "orientation_runner_up_ratio", "double", "agreement of the next orientation over this one", nullable=True
        ),
        *estimated("electrons_per_pattern_count", "mean electrons of a diffraction pattern", nullable=True, minimum=0),
        Column(
            "electrons_from_current_count", "double", "beam current times dwell time over e", nullable=True, minimum=0
        ),
        Column("missing_frames_count", "integer", "diffraction patterns that are missing or hold NaN", minimum=0),
        Column("saturated_pixels_count", "integer", "detector pixels that saturate in some pattern", minimum=0),
        NOTES,
    ),
)

STEM4D_QUICKLOOK = film_table(
    "stem4d_quicklook",
    "First look at each 4D-STEM scan: mean pattern, virtual images and centres of mass, in the array store.",
    grain="one scan of diffraction patterns",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("mean_pattern_array", "text", "array (detector Y, X): mean diffraction pattern (PACBED) as stored"),
        Column("bright_field_array", "text", "array (slow, fast): virtual bright field as stored"),
        Column("dark_field_array", "text", "array (slow, fast): virtual dark field beyond the disc as stored"),
        Column("com_array", "text", "array (2, slow, fast): centre of mass along slow and fast axis in mrad, mean off"),
        Column("usable_array", "text", "array (slow, fast): 1 where the diffraction pattern can be used, else 0"),
        Column("bright_field_fraction", "double", "electrons inside the disc", minimum=0, maximum=1),
        Column("dark_field_fraction", "double", "electrons beyond the disc", minimum=0, maximum=1),
    ),
)

STEM4D_THICKNESS = film_table(
    "stem4d_thickness",
    "Thickness of the sample from each scan's position-averaged pattern (PACBED), matched against multislice.",
    grain="one scan of diffraction patterns",
    key=("file_id",),
    columns=(
        FILE_ID,
        *estimated("lamella_thickness_nm", "thickness of the lamella along the beam", minimum=0),
        Column("thickness_source", "text", "how it was found", allowed=("pacbed",)),
        Column("statistical_nm", "double", "one sigma from counting and from misfit, blocks of pixels", minimum=0),
        Column("vibration_shift_nm", "double", "shift for one sigma of the vibrations' amplitude", nullable=True),
        Column("diffuse_shift_nm", "double", "shift where the diffuse scattering is as strong as calculated"),
        Column("planes_shift_nm", "double", "one sigma as a sample ends with a whole atomic plane", minimum=0),
        Column("materials", "text", "crystals that were matched, separated by commas"),
        Column("ruo2_fraction", "double", "share of RuO2 in the pattern; NULL for one material", nullable=True),
        Column("tilt_110_mrad", "double", "tilt of the crystal along [110]"),
        Column("tilt_1m10_mrad", "double", "tilt of the crystal along [1-10]"),
        Column("counting_reduced_chi_square", "double", "misfit against counting noise alone, a pixel", minimum=0),
        Column("model_error_fraction", "double", "what the model misses, of the intensity of a pixel", minimum=0),
        Column("runner_up_nm", "double", "thickness of the next minimum of the misfit", nullable=True, minimum=0),
        Column("runner_up_ratio", "double", "misfit of the next minimum over the least", nullable=True, minimum=0),
        Column("pattern_array", "text", "array: mean pattern that was fitted, electrons a pattern, binned"),
        Column("model_array", "text", "array: the best model of it, 0 where nothing was fitted"),
        NOTES,
    ),
)

STEM4D_THICKNESS_CURVE = film_table(
    "stem4d_thickness_curve",
    "Misfit of each scan's position-averaged pattern against thickness, least over all other parameters.",
    grain="one thickness of one scan",
    key=("file_id", "curve_index"),
    columns=(
        FILE_ID,
        Column("curve_index", "integer", "number of the thickness, from 1", minimum=1),
        Column("curve_thickness_nm", "double", "thickness", minimum=0),
        Column("misfit_ratio", "double", "chi-square over its least", minimum=0),
    ),
)
