"""Cognito user pools: users who signed in or refreshed a token in the month, by tier.

Facts: https://aws.amazon.com/cognito/pricing/ ; a pool that names no tier is in Essentials.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse, sum_declared


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    tier = resource.properties.get("UserPoolTier", "ESSENTIALS")
    tier = one_of(resource, tier, "UserPoolTier", ("LITE", "ESSENTIALS", "PLUS"))
    security = (resource.properties.get("UserPoolAddOns") or {}).get("AdvancedSecurityMode", "OFF")
    if security != "OFF" and tier != "PLUS":
        raise refuse(resource, f"AdvancedSecurityMode is {security} in the tier {tier}; it belongs to PLUS")
    users = context.derive(resource, "monthly_active_users")
    yield CostLine(f"Active users ({tier.lower()})", "users", users, f"cognito.{tier.lower()}")


def _limits_of_account(context: Context) -> Iterator[Limit]:
    rates = [
        context.derive(each, "peak_sign_ins_per_second") for each in context.all_of("AWS::Cognito::UserPool")
    ]
    if rates:
        yield context.against(
            "cognito.user_authentication", "account", "Cognito sign-ins a second", sum_declared(rates)
        )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("SmsConfiguration"):
        yield f"{context.name_of(resource)}: text messages of sign-up and sign-in are not priced"


ROOM = Room(
    type="AWS::Cognito::UserPool",
    classification="usage",
    usage={
        "monthly_active_users": Usage("users", "users who sign in, sign up or refresh a token in the month"),
        "peak_sign_ins_per_second": Usage("sign-ins/s", "InitiateAuth calls in the busiest second"),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
