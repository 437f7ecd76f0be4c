"""The inbox: which files belong to which growth, what was declared beside them, which technique their folder names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from rutile_assets.errors import InvalidRecord, RutileError, UnreadableFile
from rutile_assets.formats import FORMATS, markdown_note
from rutile_assets.formats.measurement import INSTRUMENT_HEADER
from rutile_assets.formats.yaml_text import read_mapping
from rutile_assets.techniques.growth.record import GROWTH_FILE, GrowthRecord, read_growth

FOLDER_SETTINGS = "settings.yaml"
HEADERS = tuple(known.header for known in FORMATS if known.header is not None)
MAX_HEADER_BYTES = 1024**2


@dataclass(frozen=True)
class Dropped:
    """A file that a person dropped.

    Parameters
    ----------
    path : Path
        Where it is.
    folder : Path or None
        The growth's folder: the nearest one above that holds a growth.yaml; None where there is none.
    """

    path: Path
    folder: Path | None

    @property
    def name(self) -> str:
        """The path inside the growth's folder with forward slashes; the whole path where there is no growth."""
        return self.path.relative_to(self.folder).as_posix() if self.folder else str(self.path)

    @property
    def is_growth(self) -> bool:
        """Whether it is the growth.yaml itself."""
        return self.folder is not None and self.path == self.folder / GROWTH_FILE

    @property
    def is_note(self) -> bool:
        """Whether it is a note that a person wrote."""
        return self.path.name.lower().endswith(markdown_note.ENDING)

    @property
    def is_sidecar(self) -> bool:
        """Whether it declares settings of other files, or is the header that an instrument wrote beside its data."""
        return (
            self.path.name == FOLDER_SETTINGS
            or (self.path.suffix == ".yaml" and self.path.with_suffix("").is_file() and not self.is_growth)
            or _is_header(self.path)
        )


@dataclass
class GrowthFolder:
    """The files of one growth that are to be ingested.

    Parameters
    ----------
    folder : Path or None
        Its folder.
    files : list of Dropped
        In the order of their names.
    """

    folder: Path | None
    files: list[Dropped] = field(default_factory=list)

    def record(self, inbox: Path) -> GrowthRecord:
        """Read the growth.yaml.

        Raises
        ------
        RutileError
            There is none, it is broken, or its growth_id is not the name of its folder in the inbox.
        """
        if self.folder is None:
            raise InvalidRecord(
                f"no {GROWTH_FILE} in this folder or above it",
                f"inbox/<growth_id>/{GROWTH_FILE} beside the film's files",
                "Write one (docs/growth.md) and ingest again, or say which film with --growth.",
            )
        record = read_growth((self.folder / GROWTH_FILE).read_bytes())
        if self.folder.parent == inbox and self.folder.name != record.growth_id:
            raise InvalidRecord(
                f"growth_id {record.growth_id!r} in the folder {self.folder.name!r}",
                "the folder to have the growth's name",
                "Rename the folder or correct growth_id.",
                GROWTH_FILE,
            )
        return record


def gather(paths: Sequence[Path], growth_folder: Path | None = None) -> list[GrowthFolder]:
    """Find every file under `paths` and group them by growth.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders.
    growth_folder : Path, optional
        Take all files as belonging to the growth in this folder.
    """
    groups: dict[Path | None, GrowthFolder] = {}
    seen: set[Path] = set()
    for path in (inner for outer in paths for inner in _walk(outer.absolute())):
        if path in seen:
            continue
        seen.add(path)
        folder = growth_folder or next((p for p in path.parents if (p / GROWTH_FILE).is_file()), None)
        groups.setdefault(folder, GrowthFolder(folder)).files.append(Dropped(path, folder))
    for folder, group in groups.items():
        if folder is not None and all(not file.is_growth for file in group.files):
            group.files.insert(0, Dropped(folder / GROWTH_FILE, folder))
    return list(groups.values())


def declared_for(file: Dropped) -> tuple[dict[str, object], list[Path]]:
    """Return what is declared beside a file and the sidecars that do: its own wins over its folder's.

    What the instrument's own header says stands apart, under `INSTRUMENT_HEADER`. Of a note, it is the file that it
    stands beside: settings are declared of measurements.

    Raises
    ------
    UnreadableFile
        A sidecar is broken; the file cannot be understood without it.
    """
    if file.is_note:
        return _beside(file), []
    declared: dict[str, object] = {}
    sidecars = []
    for sidecar in (file.path.with_name(FOLDER_SETTINGS), file.path.with_name(file.path.name + ".yaml")):
        if sidecar.is_file() and not file.is_growth:
            try:
                declared |= read_mapping(sidecar.read_bytes(), sidecar.name)
            except RutileError as fault:
                raise UnreadableFile(
                    f"a broken sidecar {sidecar.name} ({fault.found})", fault.expected, fault.what_to_do, file.name
                ) from fault
            sidecars.append(sidecar)
    header = _header_of(file.path)
    if header is not None:
        declared[INSTRUMENT_HEADER] = header[1]
        sidecars.append(header[0])
    return declared, sidecars


def _beside(note: Dropped) -> dict[str, object]:
    about = note.path.with_name(note.path.name[: -len(markdown_note.ENDING)])
    if note.folder is None or not about.is_file():
        return {}
    return {markdown_note.BESIDE: about.relative_to(note.folder).as_posix()}


def technique_of_folder(file: Dropped, folders: dict[str, str]) -> str | None:
    """Return the technique that the nearest folder above the file names, if one does."""
    above = file.path.parents if file.folder is None else file.path.relative_to(file.folder).parents
    return next((folders[p.name.lower()] for p in above if p.name.lower() in folders), None)


def _header_of(path: Path) -> tuple[Path, dict[str, object]] | None:
    """Return the header that the instrument wrote beside a data file, and what it says of that file."""
    kind = next((h for h in HEADERS if path.suffix.lower() == h.data_ending), None)
    if kind is None or not path.is_file():
        return None
    for neighbour in _with_ending(path.parent, kind.ending):
        said = _said(neighbour, neighbour.stat().st_mtime_ns, path.name)
        if said is not None:
            return neighbour, said
    return None


def _is_header(path: Path) -> bool:
    kind = next((h for h in HEADERS if path.suffix.lower() == h.ending), None)
    if kind is None or not path.is_file():
        return False
    headers = (_header_of(data) for data in _with_ending(path.parent, kind.data_ending))
    return any(header is not None and header[0] == path for header in headers)


def _with_ending(folder: Path, ending: str) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ending and p.is_file() and not p.is_symlink())


@lru_cache(maxsize=4096)
def _said(header: Path, _mtime_ns: int, data_name: str) -> dict[str, object] | None:
    kind = next(h for h in HEADERS if header.suffix.lower() == h.ending)
    if header.stat().st_size > MAX_HEADER_BYTES:
        return None
    said = kind.read(header.read_bytes(), header.name, data_name)
    return None if said is None else dict(said)


def _walk(path: Path) -> Iterator[Path]:
    if not path.is_dir() or path.is_symlink():
        yield path
        return
    for inner in sorted(path.iterdir()):
        if inner.name.startswith((".", "~$")) or inner.name in ("Thumbs.db", "desktop.ini"):
            continue
        yield from _walk(inner)
