"""Cognito app clients: free, but tokens for machines (client credentials) are paid each."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if "client_credentials" in (resource.properties.get("AllowedOAuthFlows") or []):
        tokens = context.derive(resource, "machine_tokens_per_month")
        yield CostLine("Machine tokens", "token requests", tokens, "cognito.m2m_tokens")


ROOM = Room(
    type="AWS::Cognito::UserPoolClient",
    classification="usage",
    usage={"machine_tokens_per_month": Usage("token requests", "tokens given for client credentials")},
    lines=_lines,
)
