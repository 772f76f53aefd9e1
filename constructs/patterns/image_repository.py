"""Where the images of a service lie, and which program of this project they are made of."""

from __future__ import annotations

from aws_cdk import Duration, Tags
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import declare
from workbench.workload import Figure


class ImageRepository(ecr.Repository):
    """A repository whose tags never move; images are scanned as they come, and the newest ten are kept.

    `program` is the folder that the image is built of ("services/aws_foundations"), with its Dockerfile. It is
    written as a tag of the repository: offline, that program runs wherever an image of the repository should.
    """

    def __init__(
        self, scope: Construct, id: str, *, program: str, stored_gb: Figure, images_kept: int = 10
    ) -> None:
        stack = BlueprintStack.around(scope)
        super().__init__(
            scope,
            id,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            encryption=ecr.RepositoryEncryption.AES_256,
            lifecycle_rules=[
                ecr.LifecycleRule(max_image_count=images_kept, rule_priority=2),
                ecr.LifecycleRule(
                    tag_status=ecr.TagStatus.UNTAGGED, max_image_age=Duration.days(1), rule_priority=1
                ),
            ],
            empty_on_delete=not stack.is_production,
            removal_policy=stack.removal_policy,
        )
        Tags.of(self).add("program", program)
        declare(self, stored_gb=stored_gb)

    def allow_pulling(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let `grantee` pull images of this repository."""
        signing_in = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["ecr:GetAuthorizationToken"],
            resource_arns=["*"],  # it is asked of the registry, and takes no resource
        )
        return signing_in.combine(
            iam.Grant.add_to_principal(
                grantee=grantee,
                actions=[
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:GetDownloadUrlForLayer",
                ],
                resource_arns=[self.repository_arn],
            )
        )
