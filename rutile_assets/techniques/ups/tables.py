"""Tables of the photoelectron room."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, NOTES, POINT_INDEX, SCAN_INDEX, XRAY_POINT, film_table
from rutile_assets.table import Column, estimated

SHARED_POINT = tuple(
    column for column in XRAY_POINT if column.name in ("detected_counts", "counting_time_s", "intensity_counts_per_s")
)

UPS_SPECTRUM = film_table(
    "ups_spectrum",
    "Photoelectron spectra as measured, region by region; X-ray spectra that were dropped here, too.",
    grain="one point of one region",
    key=("file_id", "scan_index", "point_index"),
    columns=(
        FILE_ID,
        SCAN_INDEX,
        Column("region", "text", "the instrument's name of a region of a spectrum"),
        POINT_INDEX,
        Column("kinetic_energy_ev", "double", "kinetic energy as the analyser shows it", nullable=True),
        Column("binding_energy_ev", "double", "binding energy as the file shows it", nullable=True),
        *SHARED_POINT,
    ),
)

UPS_FIT = film_table(
    "ups_fit",
    "Fermi edge and secondary cut-off of a spectrum, and the work function between them.",
    grain="one file",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("photon_energy_ev", "double", "energy of the photons", nullable=True, minimum=0),
        Column("fermi_region", "text", "the region that the Fermi edge was read from, or declared"),
        Column("cutoff_region", "text", "the region that the secondary cut-off was read from", nullable=True),
        Column("bias_difference_ev", "double", "how much more the cut-off's region was accelerated; taken off"),
        *estimated("fermi_edge_kinetic_ev", "the Fermi level on the analyser's axis; minus the file's binding energy"),
        *estimated(
            "fermi_edge_binding_ev",
            "the Fermi level on the file's binding energies, bias taken off: 0 where well calibrated",
            nullable=True,
        ),
        *estimated("resolution_fwhm_ev", "FWHM of the Gaussian that blurs the Fermi edge", nullable=True, minimum=0),
        *estimated("cutoff_kinetic_ev", "the secondary cut-off by the convolved edge, same axis", nullable=True),
        *estimated("tangent_kinetic_ev", "where the tangent meets the baseline, same axis", nullable=True),
        *estimated("work_function_ev", "photon energy less (Fermi edge - cut-off)", nullable=True),
        *estimated("work_function_tangent_ev", "the same by the tangent, as it is read on paper", nullable=True),
        *estimated(
            "tangent_bias_ev",
            "tangent less edge on the fitted cut-off, without noise: what blur makes of it",
            nullable=True,
        ),
        Column("rise_ev", "double", "how fast the secondaries rise above the cut-off", nullable=True, minimum=0),
        Column(
            "fermi_reduced_chi_square", "double", "of the Fermi edge, as reduced_chi_square", nullable=True, minimum=0
        ),
        Column(
            "cutoff_reduced_chi_square", "double", "of the cut-off, as reduced_chi_square", nullable=True, minimum=0
        ),
        NOTES,
    ),
)

UPS_FIT_CURVE = film_table(
    "ups_fit_curve",
    "Measured and fitted edges, point by point.",
    grain="one fitted point",
    key=("file_id", "edge", "point_index"),
    columns=(
        FILE_ID,
        Column("edge", "text", "which edge", allowed=("fermi", "cutoff")),
        POINT_INDEX,
        Column("energy_ev", "double", "kinetic energy; minus the binding energy where the file has only that"),
        Column("measured_counts", "double", "counts, or the file's intensity where it has none"),
        Column("fitted_counts", "double", "model"),
    ),
)
