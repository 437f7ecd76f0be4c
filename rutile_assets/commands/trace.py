"""The command `rutile trace`: from a number back to bytes, and from a file to its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.tree import Tree

from rutile_assets.commands.printing import open_home, rows_table, sigma_text, wide


@click.command()
@click.argument("what")
@click.argument("quantity", required=False)
@click.option("--why", is_flag=True, help="Also parameters, code version and snapshot of every step.")
@click.pass_obj
def trace(home: Path, what: str, quantity: str | None, why: bool) -> None:
    """Follow a number back to its bytes, or a file forward to its numbers.

    \b
      rutile trace MBE-0142 total_thickness_nm     the tree from the number down to raw files and sha256
      rutile trace MBE-0142/xrr/scan.rasx          every number that rests on this file (also by sha256)
    """  # noqa: D301
    from rutile_assets.provenance import trace as provenance  # noqa: PLC0415

    lake = open_home(home).lake
    if quantity is None:
        rows = provenance.forward(lake, what)
        columns = ("growth_id", "quantity", "subject", "value", "sigma", "unit", "is_current")
        wide().print(rows_table(rows, columns))
        return
    for row in provenance.results_named(lake, what, quantity):
        subject = f" of {row['subject']}" if row["subject"] else ""
        title = (
            f"{quantity}{subject} = {row['value']:.6g} ± {sigma_text(row['sigma'])} {row['unit']}  ({row['method']})"
        )
        step = provenance.back(lake, row["entity_id"])
        wide().print(_tree(step, Tree(title), why=why, only_file=row["file_id"]))


def _tree(step: Any, tree: Tree, *, why: bool, only_file: int | None) -> Tree:
    knows_the_file = any(parent.entity_id == only_file for parent in step.parents)
    for parent in step.parents:
        if parent.kind == "raw_file" and parent.role == "file" and knows_the_file and parent.entity_id != only_file:
            continue
        details = parent.details
        if parent.kind == "raw_file":
            text = f"{details['growth_id']}/{details['original_path']}  sha256 {details['sha256']}"
        else:
            text = f"{parent.asset}  data {details['data_version']}"
        if why:
            text += f"\n  code {details['code_version']}  snapshot {details['snapshot']}  {details['parameters']}"
        _tree(parent, tree.add(text, highlight=False), why=why, only_file=only_file)
    return tree
