"""Fast electrons: wavelength, and how atoms scatter them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import ELEMENTARY_CHARGE_C, PLANCK_J_S, SPEED_OF_LIGHT_M_PER_S, Constant
from rutile_assets.errors import InvalidRecord

FloatArray = npt.NDArray[np.float64]

ELECTRON_MASS_KG = Constant(9.1093837139e-31, 2.8e-40, "kg", "CODATA 2022, doi 10.1103/RevModPhys.97.025002")
BOHR_ANGSTROM = Constant(0.529177210544, 8.2e-11, "angstrom", "CODATA 2022, doi 10.1103/RevModPhys.97.025002")

# element -> a_i [angstrom], b_i [angstrom^2] of Lobato and Van Dyck, Acta Cryst. A70, 636 (2014),
# doi 10.1107/S205327331401643X
LOBATO: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "O": (
        (29.9474045242, -77.6101266255, 99.8817764623, -51.2127005506, 0.00819618954446),
        (1.3028398788, 1.15794105258, 1.00988549338, 0.943327971433, 0.0433197611322),
    ),
    "Al": (
        (2.83409561608, -4.28004133378, 4.42191680548, -0.0345774471896, 0.00352385941406),
        (6.66235023981, 0.551294722224, 0.509328963446, 0.111784837425, 0.0167602351805),
    ),
    "Si": (
        (2.87189142612, -2.06173501195, 2.17114024204, -0.0663073633059, 0.00301070709671),
        (5.08487103643, 0.429178185305, 0.366485434192, 0.119710611297, 0.0143994536128),
    ),
    "Ti": (
        (8.57595775238, -210.331563465, 206.097172602, 0.0477773948977, 0.00050571648448),
        (6.00780668876, 2.60285856745, 2.55352345051, 0.0711429484024, 0.00485628439384),
    ),
    "Sr": (
        (4.770925093, 1.47597850155, 0.304451355544, 0.00359474981917, 3.0008554923e-07),
        (13.366888133, 1.33738379577, 0.177532369438, 0.00779105033002, 0.000282255139649),
    ),
    "Ru": (
        (2.33230030354, 2.53578025489, 0.198208042136, 0.0017612013046, 1.9812941155e-07),
        (9.9216746016, 1.45585668809, 0.107682187873, 0.00447243545655, 0.000196574716232),
    ),
    "La": (
        (6.097881796, 2.19495164737, 0.54817279196, 0.0616669573223, 0.000226807355865),
        (12.4288544316, 1.50535992352, 0.333738039717, 0.03877445535, 0.000824049884065),
    ),
}
MATERIAL_ELEMENTS = tuple(LOBATO)


def lorentz_factor(accelerating_voltage_kv: float) -> float:
    """Return 1 + e U / (m c^2) for an accelerating voltage [kV].

    Examples
    --------
    >>> round(lorentz_factor(200.0), 4)
    1.3914
    """
    rest = ELECTRON_MASS_KG.value * SPEED_OF_LIGHT_M_PER_S.value**2
    return 1.0 + ELEMENTARY_CHARGE_C.value * 1e3 * accelerating_voltage_kv / rest


def wavelength_angstrom(accelerating_voltage_kv: float) -> float:
    """Return h / p of an electron [angstrom], relativistic; the voltage in kV.

    Examples
    --------
    >>> round(wavelength_angstrom(200.0), 6)
    0.025079
    """
    gamma = lorentz_factor(accelerating_voltage_kv)
    momentum = ELECTRON_MASS_KG.value * SPEED_OF_LIGHT_M_PER_S.value * np.sqrt(gamma**2 - 1.0)
    return float(1e10 * PLANCK_J_S.value / momentum)


def electron_form_factor(symbol: str, k_per_angstrom: FloatArray) -> FloatArray:
    r"""Return the electron scattering factor of a neutral atom at rest mass, the shape of k [angstrom].

    .. math:: f(k) = \sum_{i=1}^{5} a_i \frac{2 + b_i k^2}{(1 + b_i k^2)^2}, \qquad
              \sum_i a_i / b_i = Z / (2 \pi^2 a_0)

    The second equation is Mott and Bethe's limit of large k. The phase that an atom gives to a fast electron is
    :math:`\gamma \lambda` times the inverse Fourier transform of f in the plane.

    Parameters
    ----------
    symbol : str
        A key of `LOBATO`.
    k_per_angstrom : ndarray
        (...) spatial frequency, 2 sin(theta) / lambda [1/angstrom].

    Raises
    ------
    InvalidRecord
        The element is not in the table.
    """
    if symbol not in LOBATO:
        raise InvalidRecord(f"element {symbol!r}", f"one of {', '.join(LOBATO)}", "Add its parameters to the table.")
    squared = np.asarray(k_per_angstrom, dtype=np.float64) ** 2
    total = np.zeros_like(squared)
    for a, b in zip(*LOBATO[symbol], strict=True):
        total += a * (2.0 + b * squared) / (1.0 + b * squared) ** 2
    return total
