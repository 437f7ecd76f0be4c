"""From two edges to levels: the photon energy, where the Fermi level stands, and the work function between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.techniques.ups.model import CutOff, FermiEdge, UpsFitParameters

FloatArray = npt.NDArray[np.float64]

# resonance lines of helium at 58.4334 and 30.3782 nm (NIST Atomic Spectra Database)
LINES_EV = {"He I": 21.2180, "He II": 40.8136}
ROUNDING = 0.05
OFF_ZERO_EV = 0.1
PLAUSIBLE_EV = (0.5, 15.0)


@dataclass(frozen=True)
class Photon:
    """The photons' energy.

    Parameters
    ----------
    energy_ev, std_ev : float
        [eV]; the error is that of a rounded number, 0 for a helium line.
    note : str
        What a reader must know, or nothing.
    """

    energy_ev: float
    std_ev: float = 0.0
    note: str = ""


def photon_energy(said_ev: float | None, chosen: UpsFitParameters) -> Photon:
    """Return the photon energy: a person's, else the file's, a rounded helium line as the line.

    A number with d decimals that is no line may be off by half its last one: std 0.5 10^-d / sqrt(3).

    Raises
    ------
    FitFailed
        Neither the file nor a person says it.
    """
    if chosen.photon_energy_ev > 0.0:
        said_ev, note = chosen.photon_energy_ev, f"Photon energy {chosen.photon_energy_ev:g} eV as chosen."
    elif said_ev is None or not said_ev > 0.0:
        raise FitFailed(
            "no photon energy", "photon_energy_ev", "Write photon_energy_ev: 21.218 into the spectrum's sidecar."
        )
    else:
        for name, line in LINES_EV.items():
            if abs(said_ev - line) < ROUNDING:
                shift = 1e3 * (said_ev - line)
                told = (
                    f"{name} taken as {line:.3f} eV; with the file's {said_ev:g} eV all would be {shift:+.0f} meV off."
                )
                return Photon(line, 0.0, told if abs(shift) > 0.5 else "")
        note = ""
    decimals = len(f"{said_ev:.6f}".rstrip("0").partition(".")[2])
    known = any(abs(said_ev - line) < 1e-3 for line in LINES_EV.values())
    return Photon(said_ev, 0.0 if known else 0.5 * 10.0**-decimals / np.sqrt(3.0), note)


def fermi_estimate(fermi: FermiEdge, zero_ev: float | None, notes: tuple[str, ...]) -> Estimate | None:
    """Return what a Fermi edge alone tells: where it stands on the file's binding energies, and the resolution.

    Parameters
    ----------
    fermi : FermiEdge
        As fitted; None comes back for a declared one.
    zero_ev : float or None
        Kinetic energy at which the file's own calibration puts the Fermi level, bias included [eV]; None where it does
        not say.
    notes : tuple of str
        Passed on.
    """
    if fermi.curve is None:
        return None
    values = np.array([fermi.fwhm_ev, 0.0 if zero_ev is None else zero_ev - fermi.position_ev])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    count = 1 if zero_ev is None else 2
    return Estimate(
        ("resolution_fwhm_ev", "fermi_edge_binding_ev"),
        values,
        turn @ fermi.covariance @ turn.T,
        "Fermi function times a density of states, convolved with a Gaussian",
        "covariance",
        (),
        {name: turn @ shift for name, shift in fermi.shifts.items()},
        notes,
    ).part(range(count))


def zero_note(offset_ev: float, bias_v: float | None) -> str:
    """Return the sentence that says how far the Fermi edge stood from binding energy 0."""
    after = "" if not bias_v else f" after the bias of {bias_v:g} V"
    much = " Analyser work function, bias or photon energy are off by that." if abs(offset_ev) > OFF_ZERO_EV else ""
    return f"Fermi edge at binding energy {offset_ev:+.3f} eV{after}: set to 0; it cancels in the work function.{much}"


def work_function(
    fermi: FermiEdge,
    cutoff: CutOff,
    photon: Photon,
    chosen: UpsFitParameters,
    notes: tuple[str, ...] = (),
    *,
    bias_difference_ev: float = 0.0,
    same_region: bool = True,
) -> Estimate:
    r"""Return :math:`\Phi = h\nu - (E_F - E_{cut})` by the convolved edge and by the tangent, and what lies between.

    Parameters
    ----------
    fermi, cutoff : FermiEdge, CutOff
        On one kinetic energy axis.
    photon : Photon
        The photons.
    chosen : UpsFitParameters
        Sizes of the systematic parts.
    notes : tuple of str
        Passed on.
    bias_difference_ev : float
        How much more the cut-off's region was accelerated than the Fermi edge's [eV].
    same_region : bool
        Whether both were read from one region; else the sample may have charged against the metal.

    Raises
    ------
    FitFailed
        The work function lies outside of 0.5 to 15 eV: the edges are not what they were taken for.
    """
    to_edge, to_tangent = (fermi.position_ev - e for e in (cutoff.position_ev, cutoff.tangent_ev))
    values = photon.energy_ev - np.array([to_edge, to_tangent]) - bias_difference_ev
    if not PLAUSIBLE_EV[0] < values[0] < PLAUSIBLE_EV[1]:
        raise FitFailed(
            f"a work function of {values[0]:.2f} eV",
            "0.5 to 15 eV",
            "Check photon energy, biases and that the spectrum reaches from the cut-off to the Fermi edge.",
        )
    # rows: work function by edge, by tangent, tangent's bias; columns: E_F, edge, tangent, bias
    turn = np.array([[-1.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    spread = np.zeros((4, 4))
    spread[0, 0] = fermi.covariance[0, 0]
    spread[1:, 1:] = cutoff.covariance
    both = np.array([1.0, 1.0, 0.0])
    systematics: dict[str, FloatArray] = {
        "energy scale": -chosen.scale_std_ratio * np.array([to_edge, to_tangent, 0.0]),
        **{name: turn @ np.concatenate([[0.0], shift]) for name, shift in cutoff.shifts.items()},
        **{name: -shift[0] * both for name, shift in fermi.shifts.items()},
    }
    if photon.std_ev:
        systematics["photon energy"] = photon.std_ev * both
    if not same_region and chosen.charging_std_ev:
        systematics["charging"] = chosen.charging_std_ev * both
    return Estimate(
        ("work_function_ev", "work_function_tangent_ev", "tangent_bias_ev"),
        np.append(values, cutoff.tangent_bias_ev),
        turn @ spread @ turn.T,
        "photon energy less the distance of Fermi edge (Fermi function and Gaussian) and secondary cut-off (convolved"
        " edge; tangent beside it)",
        "covariance",
        (),
        systematics,
        notes,
    )
