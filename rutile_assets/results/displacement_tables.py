"""Tables of polar displacements."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, NOTES, film_table
from rutile_assets.table import Column, estimated
from rutile_assets.techniques.columns.tables import ELEMENT, IMAGE_KIND, PLANE_INDEX

NULL_SOURCES = ("pipeline", "image")

DISPLACEMENT_PLANE = film_table(
    "displacement_plane",
    "Plane means of cations against their four projected oxygens; + is [110] outwards, or [1-10] in the plane.",
    grain="one (110) plane of one image",
    key=("file_id", "plane_index"),
    columns=(
        FILE_ID,
        PLANE_INDEX,
        ELEMENT,
        Column("cations_count", "integer", "cations in the plane's mean", minimum=1),
        *estimated("depth_nm", "height of the plane's cations over the lowest interface, else over the lowest plane"),
        *estimated("displacement_out_of_plane_pm", "cation minus the mean of its four oxygen columns, along [110]"),
        *estimated("displacement_in_plane_pm", "cation minus the mean of its four oxygen columns, along [1-10]"),
        *estimated("displacement_octahedron_pm", "cation minus the mean of its octahedron's six oxygens, along [110]"),
        Column("displacement_site_a_pm", "double", "out of plane, cations of site A alone", nullable=True),
        Column("displacement_site_b_pm", "double", "out of plane, cations of site B alone", nullable=True),
        Column(
            "bootstrap_error_pm",
            "double",
            "standard error by block bootstrap along the plane: a witness beside the stated one",
            nullable=True,
            minimum=0,
        ),
        *estimated("null_pm", "what a stack without displacement gives out of plane", nullable=True),
        Column(
            "null_source",
            "text",
            "pipeline: 4D-STEM of a null stack, reconstructed; image: the image redrawn without displacement",
            nullable=True,
            allowed=NULL_SOURCES,
        ),
        *estimated("image_null_pm", "what the redrawn image gives out of plane", nullable=True),
        *estimated("displacement_less_null_pm", "out of plane, less the null", nullable=True),
        *estimated(
            "polarization_plane_uc_per_cm2", "along [110], from Born charges; NULL for metallic RuO2", nullable=True
        ),
    ),
)

DISPLACEMENT_PLANE_IMAGE = film_table(
    "displacement_plane_image",
    "What the plane means of an image rest on: their covariance, the tests against the null, the thickness.",
    grain="one image",
    key=("file_id",),
    columns=(
        FILE_ID,
        IMAGE_KIND,
        Column("profile_covariance_array", "text", "array (P, P): covariance of the plane means out of plane in pm^2"),
        Column("cations_used_count", "integer", "cations with four oxygens", minimum=0),
        Column("cations_without_count", "integer", "usable cations that lack an oxygen", minimum=0),
        Column(
            "scatter_ratio",
            "double",
            "chi-square of columns about their plane's means per degree of freedom; above 1 it scales the covariance",
            minimum=0,
        ),
        Column("scatter_freedom_count", "integer", "its degrees of freedom", minimum=0),
        Column("depth_spread_pm", "double", "what two halves of the depth say beyond a plane's error", minimum=0),
        Column("half_data_spread_pm", "double", "what two halves of the patterns say beyond it", minimum=0),
        Column("null_replicates_count", "integer", "null stacks", nullable=True, minimum=1),
        Column("zero_chi_square_ratio", "double", "chi-square against zero, per plane", minimum=0),
        Column("zero_probability", "double", "of the profile where nothing is displaced", minimum=0, maximum=1),
        Column("null_chi_square_ratio", "double", "chi-square against the null, per plane", nullable=True, minimum=0),
        Column("null_probability", "double", "of the profile, given the null", nullable=True, minimum=0, maximum=1),
        Column("null_rms_pm", "double", "root mean square of the null's plane means", nullable=True, minimum=0),
        Column("midplane_index_number", "double", "plane about which the profile is most nearly odd", nullable=True),
        Column("odd_chi_square_ratio", "double", "of the odd part, a pair of planes", nullable=True, minimum=0),
        Column("even_chi_square_ratio", "double", "of the even part, a pair of planes", nullable=True, minimum=0),
        Column("antisymmetry", "text", "what the two say, and that they prove nothing alone", nullable=True),
        Column("ru_planes_count", "integer", "Ru planes between both interfaces", nullable=True, minimum=0),
        *estimated("cation_amplitude_ratio", "height of Ru columns over Ti's", nullable=True, minimum=0),
        *estimated("ruo2_thickness_nm", "between the midpoints of the two edges", nullable=True, minimum=0),
        *estimated("xrr_difference_nm", "this thickness minus reflectivity's", nullable=True),
        *estimated(
            "laue_difference_nm", "this thickness minus planes times spacing of Laue's oscillations", nullable=True
        ),
        Column("agrees_with_xrr", "boolean", "within half a plane or two sigma, and as many planes", nullable=True),
        Column("agrees_with_laue", "boolean", "within half a plane or two sigma, as many planes", nullable=True),
        NOTES,
    ),
)
