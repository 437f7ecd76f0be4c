"""The command `rutile pages`."""

from __future__ import annotations

from pathlib import Path

import click

from rutile_assets.commands.printing import FILMS, open_home


@click.command()
@FILMS
@click.option("--all", "everything", is_flag=True, help="Also pages that show what they would show now.")
@click.option("--serve", is_flag=True, help="Then serve them on 127.0.0.1 until Ctrl-C.")
@click.option("--port", type=click.IntRange(min=0, max=65535), default=3001, show_default=True, help="Where.")
@click.pass_obj
def pages(home: Path, films: str | None, everything: bool, serve: bool, port: int) -> None:
    """Write the films' pages whose content has changed, and the index; they open from disk.

    `rutile run` does it too; this is for pages of a new release, or to have them in a browser: nothing is computed.
    """
    from rutile_assets.ops.serve_pages import serve_pages  # noqa: PLC0415
    from rutile_assets.results.passport import write_index, write_pages  # noqa: PLC0415
    from rutile_assets.results.passport.stale_page import write_stale  # noqa: PLC0415
    from rutile_assets.rooms import ROOMS  # noqa: PLC0415

    house = open_home(home)
    chosen = films.split(",") if films else None
    written = write_pages(house.lake, house.home, ROOMS, chosen, everything=everything)
    write_stale(house.lake, house.home, ROOMS)
    index = write_index(house.lake, house.home)
    click.echo(f"{len(written)} pages written; index: {index}")
    if serve:
        serve_pages(house.home, port, lambda url: click.echo(f"pages  {url}"))
