"""Optical second harmonic of a surface or film: tensors by symmetry, fields at oblique incidence, azimuth harmonics.

Axes of the sample: x = [001], y = [1-10], z = [110], the surface's outward normal. Light comes in the laboratory's xz
plane; at azimuth phi the sample is turned by phi about z, counter-clockwise as seen from above. A channel is named
input first: ``ps`` is p in, s out. Polariser and analyser are 0 deg for p and 90 deg for s.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

CHANNELS = ("pp", "ps", "sp", "ss")
HIGHEST = 4  # azimuth harmonics of an amplitude: one for each index of the tensor
_ORDERS = np.arange(-HIGHEST, HIGHEST + 1)


@cache
def group(name: str) -> FloatArray:
    """Return the operations of a point group in the axes of the sample.

    Parameters
    ----------
    name : str
        ``mm2`` with its axis along z, ``4/mmm`` with its fourfold axis along x, ``1`` without any symmetry.

    Returns
    -------
    ndarray
        (G, 3, 3) orthogonal matrices.
    """
    mirror_x, mirror_y = np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, -1.0, 1.0])
    quarter = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    generators = {"mm2": (mirror_x, mirror_y), "4/mmm": (quarter, mirror_x, mirror_y), "1": ()}[name]
    found = [np.eye(3)]
    for operation in found:
        for generator in generators:
            new = generator @ operation
            if not any(np.allclose(new, other) for other in found):
                found.append(new)
    return np.array(found)


@cache
def invariant_tensors(name: str, rank: int) -> FloatArray:
    """Return the independent tensors that a point group leaves as they are.

    Each element is averaged over the group; averages of one orbit are the same tensor, and different ones share no
    element, since the groups permute the axes and turn their signs. Rank 3 is the dipole's chi_ijk E_j E_k, symmetric
    in jk; rank 4 the quadrupole's Q_ijkl E_j k_k E_l, symmetric in jl (both fields are the same wave).

    Parameters
    ----------
    name : str
        As for `group`.
    rank : int
        3 or 4.

    Returns
    -------
    ndarray
        (M, 3, ..., 3) real tensors whose first element in the order of the indices is 1; mm2 has 5 of rank 3, 4/mmm
        none of rank 3 and 8 of rank 4.
    """
    swap = (0, 2, 1) if rank == 3 else (0, 3, 2, 1)
    letters, turned = "abcd"[:rank], "ijkl"[:rank]
    terms = ",".join(f"{new}{old}" for new, old in zip(turned, letters, strict=True))
    found: list[FloatArray] = []
    for place in product(range(3), repeat=rank):
        tensor = np.zeros((3,) * rank)
        tensor[place] = 1.0
        tensor = 0.5 * (tensor + tensor.transpose(swap))
        mean = np.mean([np.einsum(f"{terms},{letters}->{turned}", *[g] * rank, tensor) for g in group(name)], axis=0)
        if abs(mean[place]) > 1e-12 and not any(abs(other[place]) > 1e-12 for other in found):
            found.append(mean / mean[place])
    return np.array(found).reshape(-1, *(3,) * rank)


def element_names(name: str, rank: int) -> tuple[str, ...]:
    """Return the first element of each tensor of `invariant_tensors`, e.g. ``xxz``."""
    places = [np.argwhere(np.abs(tensor) > 1e-12)[0] for tensor in invariant_tensors(name, rank)]
    return tuple("".join("xyz"[i] for i in place) for place in places)


def local_fields(incidence_deg: float, index: complex = 1.0, *, backwards: bool = False) -> tuple[ComplexArray, ...]:
    """Return the fields of unit p and s waves just below the surface, and the wave's direction there.

    E_p = t_p (cos b, 0, +-sin b), E_s = t_s (0, 1, 0), sin a = n sin b; the sign is + for a wave that travels towards
    +x. Complex n makes b complex. By reciprocity the amplitude that a polarisation sheet P radiates into a direction
    is P times the field that a wave from that direction would make there.

    Parameters
    ----------
    incidence_deg : float
        Angle a from the normal [deg].
    index : complex
        Refractive index n + i k of the film at the wave's frequency; 1 makes the tensor an effective one.
    backwards : bool
        True for a wave that comes from the detector.

    Returns
    -------
    p, s, direction : ndarray
        (3,) each, in the laboratory's axes; the direction is the wave vector over the vacuum's.
    """
    a, n = np.radians(incidence_deg), complex(index)
    cos_a, sin_b = np.cos(a), np.sin(a) / n
    cos_b = np.sqrt(1.0 - sin_b**2)
    if (n * cos_b).imag < 0:
        cos_b = -cos_b
    t_s, t_p = 2.0 * cos_a / (cos_a + n * cos_b), 2.0 * cos_a / (n * cos_a + cos_b)
    sense = -1.0 if backwards else 1.0
    return (
        np.array([t_p * cos_b, 0.0, sense * t_p * sin_b]),
        np.array([0.0, t_s, 0.0], dtype=np.complex128),
        np.array([sense * n * sin_b, 0.0, -n * cos_b]),
    )


def azimuth_coefficients(
    tensors: FloatArray, incidence_deg: float, index: complex = 1.0, index_doubled: complex = 1.0
) -> ComplexArray:
    """Return the azimuth harmonics of the amplitude that each tensor radiates.

    A_ojl(phi) = sum_h b_h exp(i h phi), with o the output's and j, l the inputs' polarisation.

    Parameters
    ----------
    tensors : ndarray
        (M, 3, 3, 3) dipole's or (M, 3, 3, 3, 3) quadrupole's.
    incidence_deg : float
        Angle of incidence, equal to that of detection [deg].
    index, index_doubled : complex
        Refractive index of the film at the fundamental and at the second harmonic.

    Returns
    -------
    ndarray
        (2, 2, 2, 2 H + 1, M) for o, j, l in (p, s), h from -H to H = `HIGHEST`.
    """
    *fields, direction = local_fields(incidence_deg, index)
    inputs, outputs = np.array(fields), np.array(local_fields(incidence_deg, index_doubled, backwards=True)[:2])
    count = 4 * HIGHEST
    azimuths = 2.0 * np.pi * np.arange(count) / count
    cos, sin, zero, one = np.cos(azimuths), np.sin(azimuths), np.zeros(count), np.ones(count)
    turns = np.array([[cos, sin, zero], [-sin, cos, zero], [zero, zero, one]])  # laboratory to sample
    inside, outside = np.einsum("abn,jb->nja", turns, inputs), np.einsum("abn,ob->noa", turns, outputs)
    if tensors.ndim == 4:
        seen = np.einsum("mabc,noa,njb,nlc->ojlnm", tensors, outside, inside, inside, optimize=True)
    else:
        along = np.einsum("abn,b->na", turns, direction)
        seen = np.einsum("mabdc,noa,njb,nd,nlc->ojlnm", tensors, outside, inside, along, inside, optimize=True)
    return np.asarray((np.fft.fft(seen, axis=3) / count)[:, :, :, _ORDERS, :])


def polarisation_weights(polariser_deg: FloatArray, analyser_deg: FloatArray) -> FloatArray:
    """Return the weights of A_ojl behind polariser and analyser, (N, 2, 2, 2); angles (N,) [deg], 0 is p, 90 is s."""
    parts = [np.array([np.cos(np.radians(a)), np.sin(np.radians(a))]) for a in (polariser_deg, analyser_deg)]
    return np.asarray(np.einsum("on,jn,ln->nojl", parts[1], parts[0], parts[0]))


def channel_angles(channel: str) -> tuple[float, float]:
    """Return the angles of polariser and analyser [deg] of a channel such as ``ps``."""
    return (0.0 if channel[0] == "p" else 90.0), (0.0 if channel[1] == "p" else 90.0)


def point_coefficients(coefficients: ComplexArray, polariser_deg: FloatArray, analyser_deg: FloatArray) -> ComplexArray:
    """Return each point's azimuth harmonics, (N, 2 H + 1, M), from `azimuth_coefficients`; angles (N,) [deg]."""
    weights = polarisation_weights(polariser_deg, analyser_deg)
    return np.asarray(np.einsum("nojl,ojlhm->nhm", weights, coefficients, optimize=True))


def at_azimuth(coefficients: ComplexArray, azimuth_deg: FloatArray) -> ComplexArray:
    """Return the amplitude of each tensor at each point, (N, M), from `point_coefficients`; azimuths (N,) [deg]."""
    waves = np.exp(1j * np.radians(azimuth_deg)[:, None] * _ORDERS)
    return np.asarray(np.einsum("nh,nhm->nm", waves, coefficients))


def mean_power(coefficients: ComplexArray, elements: ComplexArray) -> FloatArray:
    """Return the mean over all azimuths of each channel's intensity.

    Parameters
    ----------
    coefficients : ndarray
        (2, 2, 2, 2 H + 1, M) from `azimuth_coefficients`.
    elements : ndarray
        (M,) factors of the tensors.

    Returns
    -------
    ndarray
        (4,) for `CHANNELS`, in the order pp, ps, sp, ss.
    """
    harmonics = np.einsum("ojlhm,m->ojlh", coefficients, elements)
    power = np.sum(np.abs(harmonics) ** 2, axis=-1)
    return np.array([power["ps".index(c[1]), "ps".index(c[0]), "ps".index(c[0])] for c in CHANNELS])
