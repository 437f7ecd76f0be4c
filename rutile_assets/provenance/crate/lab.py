"""Who hands a crate out, and on what terms: the section `lab` of rutile.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.home import Home

UNNAMED = "an unnamed laboratory"
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_KEYS = ("name", "url", "license", "contact")


@dataclass(frozen=True)
class Lab:
    """A laboratory.

    Parameters
    ----------
    name : str
        As it is to be cited.
    url : str or None
        Its page, best its ROR.
    license : str or None
        SPDX name or URL of the terms of its data.
    contact : str or None
        Whom to ask.
    """

    name: str = UNNAMED
    url: str | None = None
    license: str | None = None
    contact: str | None = None

    @property
    def license_url(self) -> str | None:
        """The address of the licence; None where none was given or it is words."""
        if self.license is None or self.license.startswith(("http://", "https://")):
            return self.license
        return f"https://spdx.org/licenses/{self.license}" if _SPDX.fullmatch(self.license) else None

    @property
    def terms(self) -> str:
        """The licence in words."""
        if self.license is not None:
            return self.license
        return f"No licence is given: ask {self.contact or self.name} before these data are used."


def lab_of(home: Home) -> Lab:
    """Return the lab as its settings name it.

    Raises
    ------
    InvalidRecord
        The section has another key, or a value that is no text.
    """
    written = home.settings.get("lab") or {}
    wrong = [key for key, value in written.items() if key not in _KEYS or not isinstance(value, str)]
    if wrong:
        raise InvalidRecord(
            f"lab.{wrong[0]}: {written[wrong[0]]!r}", f"text under one of {', '.join(_KEYS)}", "Correct it.",
            str(home.settings_file),
        )  # fmt: skip
    return Lab(**written)
