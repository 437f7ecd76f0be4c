"""Where the paper stands against itself: by arithmetic over its own numbers, or as a matter of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rutile_assets.physics.crystal import Rutile, rutile
from rutile_assets.results.claims_paper import IMAGES, PHI, TRANSPORT, Test
from rutile_assets.results.published import LENGTHS_NM, PUBLISHED, THRESHOLD_EV, PublishedPoint, paper_arithmetic
from rutile_assets.results.published_transport import MUCH_LESS, TransportArithmetic, printed, transport_arithmetic

TEXT_LENGTHS_NM = tuple(length for length in LENGTHS_NM if 3.0 <= length <= 8.0)  # saturation within the films' range
BILAYER_EV = 1.0  # doi of the paper's ref. 37: IEEE Electron Device Lett. 26, 445 (2005), abstract
MISFIT_PERCENT = {"[001]": -4.7, "[1-10]": 2.3}


@dataclass(frozen=True)
class OwnNumber:
    """A statement of the paper beside what its own numbers give.

    Parameters
    ----------
    statement, locator : str
        What is claimed, and where.
    test : str
        How `follows` is held against `stated`.
    stated, follows, tolerance : float
        In `unit`.
    unit, note : str
        Unit, and how it follows.
    """

    statement: str
    locator: str
    test: Test
    stated: float
    follows: float
    tolerance: float
    unit: str
    note: str

    @property
    def is_kept(self) -> bool:
        """Whether the statement follows."""
        if self.test == "equals":
            return abs(self.follows - self.stated) <= self.tolerance
        return self.follows >= self.stated if self.test == "at least" else self.follows <= self.stated


@dataclass(frozen=True)
class Sentence:
    """A statement that words, not numbers, contradict.

    Parameters
    ----------
    statement, locator : str
        What is said, and where.
    note : str
        What stands against it.
    """

    statement: str
    locator: str
    note: str


def own_numbers(
    points: tuple[PublishedPoint, ...] = PUBLISHED, transport: TransportArithmetic | None = None
) -> Iterator[OwnNumber]:
    """Yield the paper's statements beside its own arithmetic.

    Parameters
    ----------
    points : tuple of PublishedPoint
        Work functions as printed.
    transport : TransportArithmetic or None
        Of the printed transport numbers; None works them out.
    """
    yield from _work_function(points)
    yield from _transport(transport or transport_arithmetic())
    yield from _misfits(rutile("RuO2", "paper_pbe"), rutile("TiO2", "paper_pbe"))
    yield OwnNumber(
        "Thickness control of metallic films varies the work function by less than 0.5 eV.", f"{PHI}; ref. 37",
        "at most", 0.5, BILAYER_EV, 0.0, "eV", "Ref. 37, cited for trends with thickness, reports 1 eV for 0 to 10 nm"
        " of a bottom metal (its abstract).",
    )  # fmt: skip


def _work_function(points: tuple[PublishedPoint, ...]) -> Iterator[OwnNumber]:
    told = paper_arithmetic(points)
    usual = [told.saturating_component_ev[length] for length in TEXT_LENGTHS_NM]
    yield OwnNumber(
        "The modulation is 1.15 eV.", PHI, "equals", 1.15, told.modulation_ev, 0.005, "eV",
        "Largest less smallest printed work function.",
    )  # fmt: skip
    yield OwnNumber(
        "The polarization-induced component exceeds 1 eV over a straight band.", f"{PHI}; S15", "at least",
        THRESHOLD_EV, told.linear_component_ev, 0.0, "eV", "5.40 eV at 3.5 nm less the line from 4.1 to 5.05 eV.",
    )  # fmt: skip
    yield OwnNumber(
        "The component exceeds 1 eV over a band that saturates, as the text describes it.", f"{PHI}; Fig. 2e",
        "at least", THRESHOLD_EV, max(usual), 0.0, "eV",
        f"{min(usual):.2f} to {max(usual):.2f} eV for saturation within 3 to 8 nm; above 1 eV only beyond"
        f" {told.longest_below_nm:.1f} nm. Whether it exceeds 1 eV hangs on the baseline.",
    )  # fmt: skip


def _transport(n: TransportArithmetic) -> Iterator[OwnNumber]:
    bulk, intercept, at = (printed(name) for name in ("film_bulk_s_per_cm", "film_intercept_nm", "representative_nm"))
    tri, tri_intercept = printed("trilayer_bulk_s_per_cm"), printed("trilayer_intercept_nm")
    summed = 2.0 * printed("film_interface_s_per_cm")
    where = f"{TRANSPORT}; Fig. 4a"
    yield OwnNumber("The line's slope is 15,875 S/cm.", where, "equals", bulk, n.film_line[0], 1.0, "S/cm",
                    "A fit with errors in both variables to points on the printed line.")  # fmt: skip
    yield OwnNumber("t_i1 = 1.59 nm.", where, "equals", intercept, n.interface_thickness_nm, 0.05, "nm",
                    "1.59 nm is the intercept x0; with sigma_i put back t_i = x0/(1 - sigma_i/sigma_b).")  # fmt: skip
    yield OwnNumber("The 2.1 nm film represents bulk and interface.", TRANSPORT, "at least", n.interface_thickness_nm,
                    at, 0.0, "nm", "It is thinner than t_i: it has no bulk channel.")  # fmt: skip
    yield OwnNumber("The 2.1 nm film lies on the fit that it completes.", TRANSPORT, "equals", 1.0, n.over_line_ratio,
                    0.1, "", "Conductance with sigma_i = 4117 S/cm over what the line says.")  # fmt: skip
    yield OwnNumber("sigma_i1 is much less than sigma_b.", TRANSPORT, "at most", MUCH_LESS, n.interface_ratio, 0.0, "",
                    "sigma_i/sigma_b.")  # fmt: skip
    yield OwnNumber("sigma_i1 + sigma_i2 is much less than sigma_b.", f"{TRANSPORT}; Fig. 4b", "at most", MUCH_LESS,
                    summed / tri, 0.0, "", "Twice the printed sigma_i over sigma_b under a cap.")  # fmt: skip
    yield OwnNumber("t_i1 + t_i2 = 0.71 nm.", f"{TRANSPORT}; Fig. 4b", "equals", tri_intercept, n.trilayer_mean_nm,
                    0.05, "nm", f"With sigma_i put back by the mean over interfaces; {n.trilayer_literal_nm:.3f} nm by"
                    " the formula as printed.")  # fmt: skip
    same_everywhere = at - tri_intercept * (1.0 - 2.0)
    yield OwnNumber("The trilayer's sigma_2D = t sigma_b - (t_i1 + t_i2)(sigma_b - (sigma_i1 + sigma_i2)).", TRANSPORT,
                    "equals", at, same_everywhere, 0.01, "nm", "sigma_2D/sigma_b of a 2.1 nm layer whose interfaces"
                    " conduct like its bulk must be its thickness; the mean of sigma_i belongs there, not the"
                    " sum.")  # fmt: skip
    yield OwnNumber("Bulk conductivity of the same RuO2, under a cap and without.", TRANSPORT, "equals", 1.0,
                    n.trilayer_over_film_ratio, 0.1, "", "Interfaces leave a slope as it is.")  # fmt: skip
    yield OwnNumber("sigma_b is of the order of magnitude of bulk RuO2's.", TRANSPORT, "at least", 0.1,
                    n.film_over_bulk_ratio, 0.0, "", "15,875 over 28,400 S/cm.")  # fmt: skip
    yield OwnNumber("The mobility's peak at 1.9 nm aligns with the interfaces' thickness under a cap.",
                    f"{TRANSPORT}; Fig. 4f", "equals", printed("trilayer_mobility_peak_nm"), tri_intercept, 0.3, "nm",
                    "The thickness stated for them; no mechanism is named that ties both.")  # fmt: skip
    yield OwnNumber("0.71 nm is roughly two unit cells.", TRANSPORT, "equals", 2.0, n.intercept_planes_count / 2.0, 0.3,
                    "", "A unit cell along [110] has two planes.")  # fmt: skip


def _misfits(film: Rutile, substrate: Rutile) -> Iterator[OwnNumber]:
    pairs = {
        "[001]": (substrate.c_angstrom, film.c_angstrom),
        "[1-10]": (substrate.a_angstrom, film.a_angstrom),
    }
    for direction, (under, own) in pairs.items():
        stated = MISFIT_PERCENT[direction]
        yield OwnNumber(
            f"The misfit along {direction} is {stated:+.1f} %.", "Methods, First-principles calculations", "equals",
            stated, 100.0 * (under - own) / own, 0.1, "%",
            "From the calculation's own lattice constants: its strain is not the films'.",
        )  # fmt: skip


SENTENCES = (
    Sentence(
        "The KPFM feedback minimizes the 2nd harmonic of the cantilever.", "Methods, Kelvin probe force microscopy",
        "The force at 2 omega goes with V_AC^2 and does not depend on V_DC; what amplitude modulation nulls is the"
        " first harmonic, which goes with (V_DC - V_CPD) V_AC.",
    ),
    Sentence(
        "An internal electric field directed from RuO2 toward the TiO2 substrate ... oriented toward RuO2.", PHI,
        "Two consecutive sentences give opposite directions of one field.",
    ),
    Sentence(
        "Polarization from TiO2 into RuO2 raises the work function.", f"{PHI}; Figs. 1, 2e",
        "With a level Fermi energy a positive end outwards lowers it, and a metal screens a buried dipole within"
        " 0.1 nm.",
    ),
    Sentence(
        "Band alignment: a monotonic increase followed by a saturation; a linear function is subtracted.", PHI,
        "The baseline that is subtracted (S15) is not the one that is described (Fig. 2e).",
    ),
    Sentence(
        "Linear fits of the Hall resistance: Fig. 3d inset.", TRANSPORT,
        "Fig. 3 is the benchmark and has no panel d; the inset is that of Fig. 4d.",
    ),
    Sentence(
        "LSMO, thickness modulation (ref. 39).", "Fig. 3, caption",
        "Ref. 39 varies the termination layer and reports Schottky barrier heights, neither thickness nor work"
        " function.",
    ),
    Sentence(
        "Polarization arises from coherently strained TiO2.", f"{IMAGES}; S7",
        "Under coherent RuO2 the TiO2 of buffer and cap has its substrate's own lattice in the plane: no strain. Which"
        " strain the calculation of S7 used is not said.",
    ),
    Sentence(
        "First-principles calculation (PBE) gives [110] polarization in TiO2.", f"{IMAGES}; S7",
        "PBE makes rutile TiO2 unstable against its polar mode, LDA does not (Chem. Phys. Lett. 364, 528): the"
        " functional may make the polarization.",
    ),
)  # fmt: skip
