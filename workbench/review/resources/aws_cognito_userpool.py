"""Cognito user pools: users who signed in or refreshed a token in the month, by tier; text messages and e-mail.

Users of SAML and OIDC providers are lines of their providers. A text message has the price of one to the United
States, without what its carriers add. Facts: https://aws.amazon.com/cognito/pricing/ ; a pool that names no tier is
in Essentials.
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
    if "sms_per_month" in resource.workload or resource.properties.get("SmsConfiguration"):
        sent = context.derive(resource, "sms_per_month")
        yield CostLine("Text messages (to the US)", "messages", sent, "cognito.sms_mfa")
    email = (resource.properties.get("EmailConfiguration") or {}).get("EmailSendingAccount")
    if email == "DEVELOPER":
        mails = context.derive(resource, "emails_per_month")
        yield CostLine("E-mail (by SES)", "recipients", mails, "ses.email")


def _limits_of_account(context: Context) -> Iterator[Limit]:
    rates = [
        context.derive(each, "peak_sign_ins_per_second") for each in context.all_of("AWS::Cognito::UserPool")
    ]
    if rates:
        yield context.against(
            "cognito.user_authentication", "account", "Cognito sign-ins a second", sum_declared(rates)
        )


ROOM = Room(
    type="AWS::Cognito::UserPool",
    classification="usage",
    usage={
        "monthly_active_users": Usage("users", "users who sign in, sign up or refresh a token in the month"),
        "sms_per_month": Usage(
            "messages", "text messages of sign-up and sign-in, where SmsConfiguration is set"
        ),
        "emails_per_month": Usage(
            "recipients", "e-mails of the pool, where they are sent by your SES identity"
        ),
        "peak_sign_ins_per_second": Usage("sign-ins/s", "InitiateAuth calls in the busiest second"),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
)
