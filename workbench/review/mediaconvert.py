"""What MediaConvert transcodes on demand: normalised minutes, and minutes of audio alone.

Where the usage sits: on the job template, or on the queue for jobs that name none. A normalised minute is one of AVC
in SD at up to 30 frames a second in one pass; HD counts twice, UHD four times, more frames and passes more. Facts:
https://aws.amazon.com/mediaconvert/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Usage, declared_only, number, setting
from workbench.workload import Figure

QUEUE, TEMPLATE = "AWS::MediaConvert::Queue", "AWS::MediaConvert::JobTemplate"

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
    """How many jobs run at once, where that is declared: of a queue those of its templates too."""
    if resource.type == TEMPLATE and _queue_of(resource, context) is not None:
        return
    own = [resource, *context.pointing_at(resource, TEMPLATE, "Queue")]
    load = declared_only(context.derive(each, "peak_concurrent_jobs") for each in own)
    if load is None:
        return
    key, limit, written = "mediaconvert.concurrent_jobs", "Jobs of the queue at once", _written(resource)
    if written is None:
        yield context.against(key, resource, limit, load)
    else:
        name, source = context.name_of(resource), context.quota(key).source
        advice = setting(name, "ConcurrentJobs (up to 500)")
        yield Limit(name, limit, "jobs", written, load, True, source, advice)


def limits_of_account(context: Context) -> Iterator[Limit]:
    """What all queues of the account share, where that is declared."""
    found = [*context.all_of(QUEUE), *context.all_of(TEMPLATE)]
    for key, usage, limit in (
        ("account_concurrent_jobs", "peak_concurrent_jobs", "MediaConvert jobs at once"),
        ("create_job_per_second", "peak_jobs_per_second", "MediaConvert jobs created a second"),
    ):
        load = declared_only(context.derive(each, usage) for each in found)
        if load is not None:
            yield context.against(f"mediaconvert.{key}", "account", limit, load)


def _queue_of(template: Resource, context: Context) -> Resource | None:
    """The queue of the assembly that a job template sends its jobs to."""
    return context.target(template, template.properties.get("Queue"))


def _written(resource: Resource) -> Figure | None:
    """The jobs that a queue's template lets run at once; None where it leaves that to AWS."""
    count = resource.properties.get("ConcurrentJobs")
    if resource.type != QUEUE or count is None:
        return None
    jobs = number(resource, count, "ConcurrentJobs")
    return constant(jobs, f"{shown(jobs)} (ConcurrentJobs)")


def declares(resource: Resource) -> bool:
    """Whether it says how much is transcoded through it."""
    return any(key in resource.workload for key in USAGE if key.endswith("_minutes_per_month"))
