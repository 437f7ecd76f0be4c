"""The flags that hold techniques against each other: number, name and rule, and the tables that hold the verdicts."""

from __future__ import annotations

from dataclasses import dataclass

from rutile_assets.columns import GROWTH_ID, NOTES, SERIES, nullable, series_table
from rutile_assets.results.numbers import VERDICTS
from rutile_assets.table import Column


@dataclass(frozen=True)
class Flag:
    """A rule that numbers of several techniques keep where all of them are right.

    Parameters
    ----------
    number : int
        From 1.
    name, rule : str
        A short name, an identifier; and the rule in words.
    """

    number: int
    name: str
    rule: str

    @property
    def check(self) -> str:
        """Its name as an asset check."""
        return f"flag_{self.number:02d}_{self.name}"


FLAGS = {
    flag.number: flag
    for flag in (
        Flag(1, "reflectivity_and_laue", "XRR's thickness is planes times spacing of Laue's oscillations, within the"
             " larger of 0.1 nm and 2 sigma."),
        Flag(2, "reflectivity_and_images", "Images and XRR give one thickness within half a plane, and one whole"
             " number of planes."),
        Flag(3, "spacing_and_elasticity", "The (110) spacing is what elasticity makes of the in-plane relaxations,"
             " within 2 pm: a soft rule, TiO2's constants stand in for RuO2's."),
        Flag(4, "order_of_changes", "Relaxation along [001] is 0 up to its onset and not beyond; work function,"
             " mobility and second harmonic change there, too, within 2 sigma."),
        Flag(5, "density_and_conductivity", "Carrier density of thick films times e times mobility is sigma_b within"
             " 20 %."),
        Flag(6, "sheet_identity", "A film's sheet conductance is e times sheet density times mobility, within 1 %."),
        Flag(7, "channels_in_order", "sigma_i is at most sigma_b, sigma_b at most bulk RuO2's; no film of the line is"
             " thinner than t_i; a film that the fit leaves out conducts what the others foretell."),
        Flag(8, "same_ruo2_under_a_cap", "sigma_b with and without a cap is one material's: interfaces leave a slope"
             " as it is."),
        Flag(9, "reference_reproduced", "The reference's work function on the scale is its photoelectrons' to 1 meV."),
        Flag(10, "potential_error", "The error of a film's mean contact potential is below 3 % of the series'"
             " modulation."),
        Flag(11, "signs_close", "A cation shift outwards (positive end outwards) at the lower interface goes with a"
             " lower work function, one inwards with a higher: electrostatics with a level Fermi energy."),
        Flag(12, "polarization_and_step", "The permittivity that makes the step P d/(eps0 eps) of one plane the work"
             " function's modulation stands between 1 and that of rutile."),
        Flag(13, "roughness", "AFM's Sq is below one plane, and within a factor of 2 of XRR's surface roughness."),
        Flag(14, "cap_planes", "The cap's planes times spacing are XRR's cap, within the larger of 0.1 nm and 2"
             " sigma."),
        Flag(15, "sheet_isotropy", "Van der Pauw's R_A and R_B differ by less than 1.5: beyond there is no scalar"
             " conductivity."),
        Flag(16, "capped_mobility_peak", "Under a cap the mobility peaks at the intercept x0 = T (1 - sigma_i/sigma_b):"
             " no other thickness of the stack is known."),
        Flag(17, "second_harmonic_ss", "A film whose second harmonic is called a dipole's of mm2 has none with s in"
             " and s out."),
    )
}  # fmt: skip

UNIT = Column("reading_unit", "text", "unit of the readings in this row; NULL where nobody says", nullable=True)
RESULT_IDS = (
    Column("left_result_id", "bigint", "the result that left_reading is or rests on", nullable=True),
    Column("right_result_id", "bigint", "the result that right_reading is or rests on", nullable=True),
)

CONSISTENCY = series_table(
    "consistency",
    "What techniques say of one thing side by side: 17 flags, film by film and series by series.",
    grain="one comparison of one flag for one film or series",
    key=("flag_number", "judged", "comparison"),
    columns=(
        Column("flag_number", "integer", "the rule's number", minimum=1, maximum=len(FLAGS)),
        Column("flag_name", "text", "the rule's short name"),
        Column("judged", "text", "the film or the series that the rule is held against"),
        nullable(GROWTH_ID),
        SERIES,
        Column("comparison", "text", "what is compared, where a rule compares several things"),
        Column("flag_rule", "text", "the rule in words"),
        Column("left_name", "text", "what left_reading is", nullable=True),
        Column("left_reading", "double", "the first of both numbers, in reading_unit", nullable=True),
        Column("left_sigma_reading", "double", "its one sigma, in reading_unit; NULL where unknown", nullable=True),
        Column("right_name", "text", "what right_reading is", nullable=True),
        Column("right_reading", "double", "the second of both numbers or the bound, in reading_unit", nullable=True),
        Column("right_sigma_reading", "double", "its one sigma, in reading_unit; NULL where unknown", nullable=True),
        UNIT,
        Column("difference_reading", "double", "left minus right, in reading_unit", nullable=True),
        Column("difference_sigma_reading", "double", "one sigma of it with what both share", nullable=True),
        Column("difference_in_sigma_pull", "double", "difference over its sigma; NULL where unknown", nullable=True),
        Column("flag_verdict", "text", "whether the rule is kept", allowed=VERDICTS),
        Column("is_simulated", "boolean", "whether any film that it rests on is simulated"),
        *RESULT_IDS,
        NOTES,
    ),
)
