"""The nightly verification: a few films drawn by the date are recomputed from the vault; what differs fails the run."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from rutile_assets.ops.catalog import HouseResource
from rutile_assets.ops.verify import Scope, sentence, verify, worst
from rutile_assets.provenance.context import RunContext
from rutile_assets.results.passport import write_index, write_pages
from rutile_assets.results.passport.verification import write_verification
from rutile_assets.rooms import ROOMS

SAMPLE = 2  # films a night
TOLD = 5  # sentences of what failed that the run's failure quotes


class VerificationConfig(dg.Config):
    """What to verify.

    Parameters
    ----------
    sample : int
        How many films are drawn; 0 for all, with what spans films.
    seed : int
        Of the draw.
    """

    sample: int = SAMPLE
    seed: int = 0


@dg.op
def verify_films(context: dg.OpExecutionContext, config: VerificationConfig, house: HouseResource) -> Iterator[Any]:
    """Recompute films in a clean home, append how it came out, write the pages; fail where a promise is broken."""
    opened = house.open()
    scope = Scope(sample=config.sample or None, seed=config.seed)
    run = RunContext("schedule" if "dagster/schedule_name" in context.run.tags else "ui", context.run_id)
    report = verify(opened, scope, run, tell=lambda film, asset: context.log.info(f"{film} {asset}"))
    page = write_verification(opened.lake, opened.home)
    write_pages(opened.lake, opened.home, ROOMS, report.films, everything=False)
    write_index(opened.lake, opened.home)
    context.log.info(sentence(report))
    if report.has_failed:
        raise dg.Failure("; ".join(worst(report)[:TOLD]), metadata={"page": str(page)}, allow_retries=False)
    yield dg.Output(None, metadata={"verified": sentence(report), "page": dg.MetadataValue.path(str(page))})


@dg.job(name="verification", description="Recomputes films from the vault's bytes and compares; see `rutile verify`.")
def verification_job() -> None:
    """Keep the promises checked."""
    verify_films()


@dg.schedule(
    job=verification_job,
    name="nightly_verification",
    cron_schedule="0 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=f"Verifies {SAMPLE} films drawn by the date; a difference fails the run, which alerts.",
)
def nightly_verification(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Draw by the date, so that the draw can be repeated."""
    when = context.scheduled_execution_time or datetime.now(UTC)
    config = VerificationConfig(seed=when.date().toordinal())
    return dg.RunRequest(run_key=f"{when:%Y-%m-%d}", run_config=dg.RunConfig(ops={"verify_films": config}))
