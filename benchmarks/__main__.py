"""Run all benchmarks, or those named: `python -m benchmarks [xrr] [ingest] [load] [commits] [lineage] [search] ...`."""

from __future__ import annotations

import sys

from benchmarks import columns, lake, pages, ptychography, search, xrr

ALL = {
    "xrr": xrr.run,
    "ingest": lake.run_ingest,
    "load": lake.run_load,
    "commits": lake.run_commits,
    "lineage": lake.run_lineage,
    "pages": pages.run,
    "search": search.run,
    "ptychography": ptychography.run,
    "columns": columns.run,
}

for name in sys.argv[1:] or ALL:
    print(f"\n## {name}\n", flush=True)
    for line in ALL[name]():
        print(line, flush=True)
