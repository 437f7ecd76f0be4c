"""Small files for load tests: what a lake of thousands of films is filled with, and rooms still find numbers in."""

from __future__ import annotations

from functools import partial

from rutile_assets.simulation.afm import AfmSetup
from rutile_assets.simulation.files import Maker, afm_files, kpfm_files, transport_files
from rutile_assets.simulation.kpfm import KpfmSetup
from rutile_assets.simulation.transport import TransportSetup

_AFM = AfmSetup(pixels=64, size_nm=1000.0)
_KPFM = KpfmSetup(pixels=64, size_nm=500.0)
_TRANSPORT = TransportSetup(points_per_branch=19)

# technique -> what makes its files; X-ray fits take seconds a film however short the scan, so there are none
LIGHT_MAKERS: dict[str, Maker] = {
    "afm": partial(afm_files, setup=_AFM),
    "kpfm": partial(kpfm_files, setup=_KPFM),
    "transport": partial(transport_files, setup=_TRANSPORT, temperatures=1),
}
