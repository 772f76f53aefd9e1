"""Types that the review knows and does not price, and why. Every report lists the ones it met.

A name that ends in `*` stands for all that begin so: a service of which the price book has nothing. A room, or a
line of its own in `free.py`, goes before it.
"""

from __future__ import annotations

from workbench.review.free import FREE

UNPRICED: dict[str, str] = {
    "AWS::CloudFormation::Stack": "a nested stack: its resources are in another template, which is not read",
    "AWS::Logs::SubscriptionFilter": "delivering logs is free; what receives them pays",
    "AWS::CloudWatch::AnomalyDetector": "pays by the metrics it learns from, which nothing counts",
    "AWS::XRay::SamplingRule": "changes how many traces are recorded, which the review takes as the default",
    "AWS::Cognito::IdentityPool": "free by itself; what its roles let users do pays",
    "AWS::AutoScaling::WarmPool": "stopped instances pay for their volumes, which nothing counts",
    "AWS::EKS::FargateProfile": "its pods pay by vCPU and memory, which nothing counts",
    "Custom::AWSCDK-EKS-Cluster": "a cluster made by a custom resource is not read: use AWS::EKS::Cluster",
    "AWS::Cognito::UserPoolIdentityProvider": "users of SAML or OIDC have a price of their own",
}

# Types that CloudFormation never sees, and what to do to get at those that it does.
MACROS: dict[str, str] = {
    "AWS::Serverless::*": (
        "a macro stands for other resources: review what it expands to, the template that "
        "`aws cloudformation get-template --template-stage Processed` or a change set of the stack gives"
    ),
}


def unpriced_type(resource_type: str) -> str | None:
    """Why `resource_type`, which has no room, is not priced; None when it is free or not known."""
    why = UNPRICED.get(resource_type)
    if why is not None or resource_type in FREE:
        return why
    return _by_prefix(UNPRICED, resource_type)


def macro_type(resource_type: str) -> str | None:
    """What to do about `resource_type` when a macro stands for it; None for a resource."""
    return _by_prefix(MACROS, resource_type)


def _by_prefix(table: dict[str, str], resource_type: str) -> str | None:
    for name, why in table.items():
        if name.endswith("*") and resource_type.startswith(name[:-1]):
            return why
    return None
