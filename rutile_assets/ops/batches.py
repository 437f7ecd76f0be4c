"""Films that one run computes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SMALL_CAMPAIGN = 24  # up to here one run a film, so that the UI has each film's own plot; beyond, ranges of films


def batches(needs: Mapping[str, Sequence[str]], order: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Group films that need the same assets and stand side by side in Dagster's order of films.

    Parameters
    ----------
    needs : mapping of str to sequence of str
        growth_id -> assets.
    order : sequence of str
        Dagster's order of all films; a film that is not in it is left out.

    Returns
    -------
    list of (films, assets)
        A film a batch up to `SMALL_CAMPAIGN` films.
    """
    found: list[tuple[list[str], list[str]]] = []
    previous = -2
    for position, film in enumerate(order):
        if film not in needs:
            continue
        if len(needs) > SMALL_CAMPAIGN and position == previous + 1 and found[-1][1] == list(needs[film]):
            found[-1][0].append(film)
        else:
            found.append(([film], list(needs[film])))
        previous = position
    return found


def range_tags(films: Sequence[str]) -> dict[str, str]:
    """Return the tags that make Dagster run a range of films in one run; none for one film."""
    if len(films) == 1:
        return {}
    return {"dagster/asset_partition_range_start": films[0], "dagster/asset_partition_range_end": films[-1]}
