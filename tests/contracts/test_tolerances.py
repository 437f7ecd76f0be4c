"""What an asset does not promise of a recomputation stands in the docs, with its reason."""

from __future__ import annotations

import re
from pathlib import Path

from rutile_assets.provenance.tolerance import HOUSE
from rutile_assets.rooms import all_assets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verification.md"


def test_assets_that_promise_less_are_named_with_their_reason() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("<!-- tolerances -->")[2].partition("<!-- /tolerances -->")[0]
    told = dict(re.findall(r"^\| (\w+) \|.*\| (.+) \|$", table, re.MULTILINE))
    told.pop("asset", None)
    own = {asset.name: asset.tolerance.why for asset in all_assets() if asset.tolerance != HOUSE}
    assert told == own
    assert all(own.values())
    assert f"{HOUSE.in_sigma:g} of its sigma, or {HOUSE.relative:g} of itself" in text.replace("1e-5", f"{1e-5:g}")
