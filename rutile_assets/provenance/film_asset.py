"""The declaration of an asset, computed film by film or across all films, and of the room it stands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from inspect import getdoc
from typing import Any

from matplotlib.figure import Figure

from rutile_assets.errors import InvalidRecord
from rutile_assets.formats.measurement import Measurement
from rutile_assets.lake.home import Home
from rutile_assets.provenance.code_version import CodeVersion, code_version
from rutile_assets.provenance.film import Film, Films, Imprint, Outcome
from rutile_assets.provenance.tolerance import HOUSE, Tolerance
from rutile_assets.table import Table


@dataclass(frozen=True)
class Asset:
    """An asset with one version per film (decorator `film_asset`) or one for all films (`across_films`).

    Parameters
    ----------
    name, room, description : str
        The function's name, its room, its docstring.
    compute : callable
        Film -> Outcome, or Films -> Outcome.
    files : str or None
        The technique whose raw files it reads.
    reads : tuple of str
        The assets whose tables it reads.
    writes : tuple of Table
        Its tables; the first has the asset's name, the others begin with it.
    parameters : type or None
        A frozen dataclass with defaults.
    kinds : tuple of str
        What the Dagster UI shows as badges.
    figure : callable or None
        (film or films, outcome) -> figure for the catalog and the film's page.
    spans_films : bool
        One version for all films.
    pool : str or None
        Dagster's pool, where not all may run at once.
    needs : tuple of str
        Those of `reads` without which a film has nothing to compute; none named: any of them is enough.
    warns : mapping of str to str
        Checks that warn and stop nothing: name -> what it says where it passes; it fails by `Outcome.warnings`.
    prints : callable or None
        (films, imprint) -> PNG for the catalog; writes files for print, and stands in the code version as what draws.
    tolerance : Tolerance
        How far a recomputation may lie off (`rutile verify`).
    """

    name: str
    room: str
    description: str
    compute: Callable[[Any], Outcome]
    files: str | None
    reads: tuple[str, ...]
    writes: tuple[Table, ...]
    parameters: type[Any] | None
    kinds: tuple[str, ...]
    figure: Callable[[Any, Outcome], Figure | None] | None
    spans_films: bool = False
    pool: str | None = None
    needs: tuple[str, ...] = ()
    warns: Mapping[str, str] = field(default_factory=dict)
    prints: Callable[[Films, Imprint], bytes | None] | None = None
    tolerance: Tolerance = HOUSE

    @cached_property
    def code(self) -> CodeVersion:
        """The version of its own code (for the readers of its files see `materialize`)."""
        return code_version(self.compute, *([] if self.prints is None else [self.prints]))

    def parameters_for(self, home: Home, growth_id: str | None) -> Any:
        """Return its parameters: the defaults, then the lab's ``parameters``, then the film's own in rutile.yaml.

        Raises
        ------
        InvalidRecord
            The settings name an unknown parameter or give one the wrong type.
        """
        if self.parameters is None:
            return None
        chosen: dict[str, Any] = {}
        own = (home.settings.get("films") or {}).get(growth_id) if growth_id is not None else None
        for written in (home.settings.get("parameters"), own):
            chosen |= (written or {}).get(self.name) or {}
        known = {f.name: f for f in fields(self.parameters)}
        defaults = asdict(self.parameters())
        for name, value in chosen.items():
            if name not in known:
                near = get_close_matches(name, known, 1) or sorted(known)
                raise InvalidRecord(
                    f"parameter {name!r} of {self.name}", f"{near[0]!r}", "Correct it.", str(home.settings_file)
                )
            default = defaults[name]
            if default is not None and not isinstance(
                value, type(default) if type(default) is not float else (float, int)
            ):
                raise InvalidRecord(
                    f"{self.name}.{name}: {value!r}",
                    f"a {type(default).__name__}",
                    "Correct it.",
                    str(home.settings_file),
                )
        return self.parameters(**chosen)

    def parameters_as_dict(self, parameters: Any) -> dict[str, Any]:
        """Return parameters as JSON-ready values."""
        return asdict(parameters) if is_dataclass(parameters) and not isinstance(parameters, type) else {}


def film_asset(
    *,
    room: str,
    writes: Sequence[Table],
    files: str | None = None,
    reads: Sequence[str] = (),
    parameters: type[Any] | None = None,
    kinds: Sequence[str] = ("python",),
    figure: Callable[[Film, Outcome], Figure | None] | None = None,
    pool: str | None = None,
    needs: Sequence[str] = (),
    tolerance: Tolerance = HOUSE,
) -> Callable[[Callable[[Film], Outcome]], Asset]:
    """Declare a function Film -> Outcome as an asset; the arguments are those of `Asset`.

    Raises
    ------
    InvalidRecord
        The tables are not named after the asset.
    """

    def declare(function: Callable[[Film], Outcome]) -> Asset:
        made = _asset(function, room, files, reads, writes, parameters, kinds, figure, spans_films=False)
        return replace(made, pool=pool, needs=tuple(needs), tolerance=tolerance)

    return declare


def across_films(
    *,
    room: str,
    reads: Sequence[str],
    writes: Sequence[Table],
    parameters: type[Any] | None = None,
    kinds: Sequence[str] = ("python",),
    figure: Callable[[Films, Outcome], Figure | None] | None = None,
    warns: Mapping[str, str] | None = None,
    prints: Callable[[Films, Imprint], bytes | None] | None = None,
    tolerance: Tolerance = HOUSE,
) -> Callable[[Callable[[Films], Outcome]], Asset]:
    """Declare a function Films -> Outcome as an asset that spans films; the arguments are those of `Asset`.

    Its tables hold all films and series, so their rows are put in place together.

    Raises
    ------
    InvalidRecord
        The tables are not named after the asset.
    """

    def declare(function: Callable[[Films], Outcome]) -> Asset:
        made = _asset(function, room, None, reads, writes, parameters, kinds, figure, spans_films=True)
        return replace(made, warns=dict(warns or {}), prints=prints, tolerance=tolerance)

    return declare


def _asset(
    function: Callable[[Any], Outcome],
    room: str,
    files: str | None,
    reads: Sequence[str],
    writes: Sequence[Table],
    parameters: type[Any] | None,
    kinds: Sequence[str],
    figure: Callable[[Any, Outcome], Figure | None] | None,
    *,
    spans_films: bool,
) -> Asset:
    name = function.__name__
    names = [table.name for table in writes]
    if not names or names[0] != name or not all(n.startswith(name) for n in names):
        raise InvalidRecord(f"asset {name} writing {names}", f"{name}, {name}_...", "Rename the tables.")
    return Asset(
        name=name,
        room=room,
        description=getdoc(function) or "",
        compute=function,
        files=files,
        reads=tuple(reads),
        writes=tuple(writes),
        parameters=parameters,
        kinds=tuple(kinds),
        figure=figure,
        spans_films=spans_films,
    )


@dataclass(frozen=True)
class Room:
    """One technique.

    Parameters
    ----------
    name, title : str
        Short name (the technique in `raw_file`), and the words people use.
    folders : tuple of str
        Folder names in the inbox that mean this technique, lower case.
    check : callable or None
        Measurement -> anything; run at ingest, raises `WrongContent` when the file cannot serve.
    assets : tuple of Asset
        In the order in which they build on each other.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    check: Callable[[Measurement], object] | None
    assets: tuple[Asset, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the room."""
        return tuple(table for asset in self.assets for table in asset.writes)
