"""What MediaConvert transcodes on demand: normalised minutes, and minutes of audio alone.

Where the usage sits: on the job template, or on the queue for jobs that name none. A normalised minute is one of AVC
in SD at up to 30 frames a second in one pass; HD counts twice, UHD four times, more frames and passes more. Facts:
https://aws.amazon.com/mediaconvert/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Limit, Usage

USAGE = {
    "normalized_minutes_per_month": Usage(
        "normalised minutes", "basic tier: minutes of output × their multipliers"
    ),
    "professional_minutes_per_month": Usage("normalised minutes", "professional tier: the same, if any"),
    "audio_minutes_per_month": Usage("minutes", "minutes of outputs that are audio alone, if any"),
    "peak_concurrent_jobs": Usage("jobs", "jobs that run at once, at the busiest, if known"),
    "peak_jobs_per_second": Usage("requests/s", "jobs created in the busiest second, if known"),
}


def lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """The basic tier, and the others where they are declared."""
    yield from by_use.lines(
        resource,
        context,
        (
            "Transcoding (basic)",
            "normalised minutes",
            "normalized_minutes_per_month",
            "mediaconvert.basic.normalized_minute",
        ),
    )
    yield from by_use.where_declared(
        resource,
        context,
        (
            "Transcoding (professional)",
            "normalised minutes",
            "professional_minutes_per_month",
            "mediaconvert.professional.normalized_minute",
        ),
        ("Transcoding (audio)", "minutes", "audio_minutes_per_month", "mediaconvert.basic.audio_minute"),
    )


def limits(resource: Resource, context: Context) -> Iterator[Limit]:
    """How many jobs run at once and are created a second, where that is declared."""
    for key, usage, words in (
        ("mediaconvert.concurrent_jobs", "peak_concurrent_jobs", "Jobs of the queue at once"),
        ("mediaconvert.create_job_per_second", "peak_jobs_per_second", "Jobs created a second"),
    ):
        if usage in resource.workload:
            yield context.against(key, resource, words, context.derive(resource, usage))


def declares(resource: Resource) -> bool:
    """Whether it says how much is transcoded through it."""
    return any(key in resource.workload for key in USAGE if key.endswith("_minutes_per_month"))
