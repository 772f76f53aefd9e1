"""Identity providers of a user pool: users of SAML and OIDC have a price of their own, others are the pool's.

The figure is of users who come through the provider; the pool's own leaves them out. A pool of the tier Plus is taken
to charge them as its own users. Facts: https://aws.amazon.com/cognito/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, one_of

_FEDERATED = ("SAML", "OIDC")
_SOCIAL = ("Facebook", "Google", "LoginWithAmazon", "SignInWithApple")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    provider = resource.properties.get("ProviderType")
    if one_of(resource, provider, "ProviderType", (*_FEDERATED, *_SOCIAL)) in _SOCIAL:
        refuse_keys(resource, f"users of {provider} are the pool's own", "monthly_active_users")
        return
    pool = context.target(resource, resource.properties.get("UserPoolId"))
    is_plus = pool is not None and pool.properties.get("UserPoolTier") == "PLUS"
    users = context.derive(resource, "monthly_active_users")
    key = "cognito.plus" if is_plus else "cognito.saml_oidc"
    yield CostLine(f"Active users ({provider})", "users", users, key)


ROOM = Room(
    type="AWS::Cognito::UserPoolIdentityProvider",
    classification="usage",
    usage={
        "monthly_active_users": Usage(
            "users", "users who sign in through it in the month; the pool's own figure leaves them out"
        )
    },
    lines=_lines,
)
