"""URL shortener: the declaration that the catalogue reads. No `aws_cdk` until it is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.url_shortener.workload import COUNTERS, WORKLOAD
from workbench.blueprint import Blueprint, Stage
from workbench.workload import Load

if TYPE_CHECKING:
    from aws_cdk import App


def place(app: App, load: Load, stage: Stage) -> None:
    """Add the one stack of this blueprint to `app`."""
    from stacks.url_shortener.stack import UrlShortener

    UrlShortener(app, load=load, stage=stage)


BLUEPRINT = Blueprint(
    name="url_shortener",
    title="URL shortener",
    group="Classic and ML problems",
    seed="001_2b6e6fbab987d319.txt",
    passage="Phase 6, Classic HLD Problems: URL Shortener",
    promise=(
        "A code never points at two URLs, also under concurrent writes and forced collisions; a redirect "
        "survives the analytics path being down; a malicious scheme is refused."
    ),
    services=("CloudFront", "API Gateway (HTTP)", "Lambda", "DynamoDB", "SQS", "Cognito", "CloudWatch"),
    workload=WORKLOAD,
    place=place,
    choices=(COUNTERS,),
)
