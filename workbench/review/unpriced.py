"""Types that the review knows and does not price, and why. Every report lists the ones it met."""

from __future__ import annotations

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
