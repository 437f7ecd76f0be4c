"""What a crate says to people: README.md and ro-crate-preview.html."""

from __future__ import annotations

from html import escape

from rutile_assets import __version__
from rutile_assets.provenance.crate.lab import Lab
from rutile_assets.provenance.crate.parts import METADATA, Parts
from rutile_assets.provenance.crate.selection import Selection

_README = """\
# {name}

{simulated}{count} thin films of {lab}: raw instrument files, tables, numbers with one-sigma uncertainties, and the
lineage of every number. Written by rutile_assets {version}; newest step {newest:%Y-%m-%d %H:%M:%S} UTC.

| where | what |
|---|---|
| `results.csv` | the numbers: quantity (its name carries the unit), value, sigma, method |
| `raw/<film>/` | the instrument files as they came, growth.yaml and sidecars too |
| `tables/*.parquet` | every table; `tables/columns.csv` says type, unit and meaning of every column |
| `provenance/*.parquet` | activity, entity, edge, code, environment, run: what was made from what |
| `arrays/` | images and reconstructions in Zarr 3 that rows refer to |
| `exchange/` | the same measurements in formats of the field: ORSO .ort, NeXus .nxs |
| `pages/` | the films' pages and figures; begin at `ro-crate-preview.html` |
| `prov.json` | the lineage as W3C PROV |
| `environment/*.txt` | the packages that numbers were made with |
| `{metadata}` | all of it, by machine: RO-Crate 1.1, Provenance Run Crate 0.5 |

Read it without us: `duckdb -c "FROM 'tables/result.parquet'"`, pandas.read_parquet, any Zarr 3 reader.
Check it: `sha256sum -c manifest-sha256.txt`. Take it into another lake: `rutile import FOLDER`.
{outside}
## Terms

{terms} Cite it as CITATION.cff says.
"""
_OUTSIDE = """
Numbers across films rest on {count} versions of films that are not here (`provenance/outside.parquet` names them);
of tables across films, rows about these films and their series are here.
"""


def readme(selection: Selection, lab: Lab, name: str) -> str:
    """Return README.md."""
    lost = len(selection.rows("outside"))
    return _README.format(
        name=name, simulated="**Simulated data.** " if selection.is_simulated else "",
        count=len(selection.growth_ids), lab=lab.name, version=__version__, newest=selection.newest,
        metadata=METADATA, terms=lab.terms, outside=_OUTSIDE.format(count=lost) if lost else "",
    )  # fmt: skip


def preview(selection: Selection, lab: Lab, name: str, parts: Parts) -> str:
    """Return ro-crate-preview.html: the films with links to their pages, and where the rest is."""
    growths = {row["growth_id"]: row for row in selection.rows("growth")}
    rows = []
    for growth_id in selection.growth_ids:
        growth = growths.get(growth_id, {})
        page = f"pages/films/{growth_id}/index.html"
        title = escape(growth_id)
        linked = f'<a href="{escape(page)}">{title}</a>' if page in parts else title
        numbers = sum(row["growth_id"] == growth_id for row in selection.rows("result"))
        cells = [linked, escape(str(growth.get("stack", ""))), escape(str(growth.get("origin", ""))), str(numbers)]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    simulated = "<p><strong>Simulated data.</strong></p>" if selection.is_simulated else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(name)}</title><style>body{{font:16px/1.5 '
        "system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}"
        "td,th{padding:.2rem .8rem .2rem 0;text-align:left}</style></head>\n<body><main>"
        f"<h1>{escape(name)}</h1>{simulated}<p>{escape(lab.name)}. {escape(lab.terms)} See "
        '<a href="README.md">README.md</a>, <a href="results.csv">results.csv</a>, '
        f'<a href="{METADATA}">{METADATA}</a>.</p>\n<table><thead><tr><th>film</th><th>stack</th><th>origin</th>'
        "<th>numbers</th></tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table></main></body></html>\n"
    )  # fmt: skip
