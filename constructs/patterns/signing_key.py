"""A key that CloudFront trusts: whoever holds its private half says what may be fetched, and until when."""

from __future__ import annotations

from typing import cast

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.deployment_step import DeploymentStep
from patterns.traffic import declare
from workbench.workload import NEVER


class SigningKey(Construct):
    """An RSA pair that a step of the deployment makes, once; the private key is in a secret, encrypted with `key`.

    `key` (symmetric) also makes the pair. Nobody sees the private key but the step, which forgets it, and those whom
    `allow` lets read the secret: {"private_key": PEM, "public_key": PEM}.

    To change it, put a second one beside it: give a `MediaDistribution` both, deploy, sign with the new one, and take
    the old one away when its last URL has expired. Attributes: `secret`, `public_key`, `id` (Key-Pair-Id of URLs).
    """

    def __init__(self, scope: Construct, id: str, *, key: kms.IKey) -> None:
        super().__init__(scope, id)
        self._key = key
        self.secret = secretsmanager.Secret(
            self,
            "PrivateKey",
            description="Signs URLs of CloudFront",
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,  # it opens nothing but addresses, which another key opens as well
        )
        # The secret is made empty: a value from CloudFormation would be no key.
        resource = cast(secretsmanager.CfnSecret, self.secret.node.default_child)
        resource.generate_secret_string = None
        declare(self.secret, requests_per_month=NEVER.per_month)  # when a function starts
        acknowledge(
            self.secret,
            "AwsSolutions-SMG4",
            "URLs that are out there are signed with it: it changes by a second key beside it, over two deployments",
        )
        step = DeploymentStep(
            self,
            "Making",
            handler="lambdas.shared.signing_key.handler",
            properties={"Secret": self.secret.secret_arn, "Key": key.key_arn},
        )
        pair = iam.Grant.add_to_principal(
            grantee=step, actions=["kms:GenerateDataKeyPair"], resource_arns=[key.key_arn]
        )
        kept = self._allow(
            step, "GetSecretValue", "PutSecretValue", of_the_key=("Decrypt", "GenerateDataKey")
        )
        for grant in (pair, kept):
            step.after(grant)
        self.public_key = cloudfront.PublicKey(
            self, "PublicKey", encoded_key=step.resource.get_att_string("PublicKey")
        )
        self.id = self.public_key.public_key_id

    def allow(self, signer: iam.IGrantable) -> iam.Grant:
        """Let `signer` read the private key."""
        return self._allow(signer, "GetSecretValue", of_the_key=("Decrypt",))

    def _allow(self, grantee: iam.IGrantable, *actions: str, of_the_key: tuple[str, ...]) -> iam.Grant:
        through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{Aws.REGION}.amazonaws.com"}}
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=[f"secretsmanager:{action}" for action in actions],
            resource_arns=[self.secret.secret_arn],
        ).combine(
            iam.Grant.add_to_principal(
                grantee=grantee,
                actions=[f"kms:{action}" for action in of_the_key],
                resource_arns=[self._key.key_arn],
                conditions=through,
            )
        )
