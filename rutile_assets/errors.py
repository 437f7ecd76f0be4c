"""Errors that a person in the lab can act on: what was found, what was expected, what to do next."""

from __future__ import annotations


class RutileError(Exception):
    """A failure told in one sentence.

    Parameters
    ----------
    found : str
        What is there, quoted from the file or the setting.
    expected : str
        What had to be there instead.
    what_to_do : str
        The next step for the person who reads this.
    path : str, optional
        The file, as the person knows it.
    """

    def __init__(self, found: str, expected: str, what_to_do: str, path: str | None = None) -> None:
        self.found = found
        self.expected = expected
        self.what_to_do = what_to_do
        self.path = path
        super().__init__(found, expected, what_to_do, path)

    def __str__(self) -> str:
        """Return the one sentence that is shown to a person."""
        where = f"{self.path}: " if self.path else ""
        return f"{where}found {self.found}; expected {self.expected}. {self.what_to_do}"


class UnreadableFile(RutileError):
    """The bytes are not a complete, honest file of a format that is known here."""


class WrongContent(RutileError):
    """The file is whole but does not hold what its technique needs (no potential channel, no unit)."""


class InvalidRecord(RutileError):
    """A growth.yaml, a setting or a table row breaks its declaration."""


class FitFailed(RutileError):
    """A fit did not converge, or the data cannot determine what was asked."""
