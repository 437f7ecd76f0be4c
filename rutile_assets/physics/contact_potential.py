"""Work functions of samples from contact potentials against one reference, with the covariance that they share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def v_cpd_of_bias(bias_v: FloatArray, bias_on: str) -> FloatArray:
    """Return V_CPD [V], the tip bias that would null with the sample grounded, from the bias that was applied.

    With the bias on the sample the sign turns, so that Phi_sample = Phi_tip - e V_CPD holds either way.

    Parameters
    ----------
    bias_v : ndarray
        The nulling bias as recorded [V].
    bias_on : str
        ``tip`` or ``sample``.

    Raises
    ------
    ValueError
        `bias_on` is neither.
    """
    if bias_on not in ("tip", "sample"):
        raise ValueError(f"bias_on {bias_on!r}")
    return bias_v if bias_on == "tip" else -bias_v


def work_functions(
    v_cpd_v: FloatArray, v_cpd_std_v: FloatArray, reference: int, reference_ev: float, reference_std_ev: float
) -> tuple[FloatArray, FloatArray]:
    r"""Return the work functions of samples measured with one tip, and their covariance.

    .. math:: \Phi_i = \Phi_{ref} + e (V_{ref} - V_i),\quad
              C_{ij} = \sigma_{ref}^2 + \sigma_{V_{ref}}^2 + \delta_{ij}\sigma_{V_i}^2

    and sigma_ref^2 alone wherever one of i, j is the reference, whose own V cancels.

    Parameters
    ----------
    v_cpd_v, v_cpd_std_v : ndarray
        (S,) contact potentials, tip bias with the sample grounded, and their independent errors [V].
    reference : int
        Place of the sample whose work function is known.
    reference_ev, reference_std_ev : float
        That work function and its error [eV].

    Returns
    -------
    tuple of ndarray
        (S,) [eV] and (S, S) [eV^2].
    """
    values = reference_ev + v_cpd_v[reference] - v_cpd_v
    others = np.arange(len(v_cpd_v)) != reference
    shared = reference_std_ev**2 + v_cpd_std_v[reference] ** 2 * np.outer(others, others)
    return values, shared + np.diag(np.where(others, v_cpd_std_v**2, 0.0))
