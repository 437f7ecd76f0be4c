"""Pages of docs/ that are made from the code: `python -m rutile_assets.reference`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rutile_assets import cli, formats
from rutile_assets.provenance.tables import PROVENANCE_TABLES
from rutile_assets.rooms import ROOMS
from rutile_assets.techniques.growth.record import json_schema

DOCS = Path(__file__).resolve().parents[1] / "docs"
MADE = "<!-- made by `python -m rutile_assets.reference`; a test keeps it true -->\n\n"


def pages() -> dict[str, str]:
    """Return file name -> content of every page that is made."""
    return {
        "tables.md": _tables(),
        "formats.md": _formats(),
        "cli.md": _commands(),
        "growth.schema.json": json.dumps(json_schema(), indent=1) + "\n",
    }


def _tables() -> str:
    parts = ["# Tables\n\n", MADE, "Units stand in the names; one name has one meaning in the whole lake.\n\n"]
    groups = [(room.title, room.tables) for room in ROOMS] + [("Provenance", PROVENANCE_TABLES)]
    parts += [f"## {title}\n\n" + "\n".join(table.markdown() for table in tables) + "\n" for title, tables in groups]
    return "".join(parts)


def _formats() -> str:
    rows = "\n".join(f"| `{f.name}` | {f.description} |" for f in formats.FORMATS)
    return (
        f"# File formats\n\n{MADE}A file is known by its content; its ending only helps.\n\n"
        f"| name | what it is |\n|---|---|\n{rows}\n"
    )


def _commands() -> str:
    context = click.Context(cli.main, info_name="rutile", terminal_width=100, max_content_width=100)
    parts = [f"# Commands\n\n{MADE}```text\n{cli.main.get_help(context)}\n```\n"]
    for name in sorted(cli.main.commands):
        command = cli.main.commands[name]
        inner = click.Context(command, parent=context, info_name=name, terminal_width=100, max_content_width=100)
        parts.append(f"\n## rutile {name}\n\n```text\n{command.get_help(inner)}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    for file, content in pages().items():
        (DOCS / file).write_text(content, encoding="utf-8")
