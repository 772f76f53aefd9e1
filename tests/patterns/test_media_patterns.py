"""The constructs of media: buckets that expire and grow colder, a key that signs, and the edge that it opens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import App, Duration
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from patterns.blueprint_stack import BlueprintStack
from patterns.bucket import Bucket, Colder
from patterns.encryption_key import EncryptionKey
from patterns.media_distribution import MediaDistribution
from patterns.signing_key import SigningKey
from patterns.traffic import KEY, BucketTraffic, EdgeTraffic
from patterns.work_queue import WorkQueue
from workbench.workload import Figure, Rate

COMPLETED = "s3:ObjectCreated:CompleteMultipartUpload"


class Ground:
    """A stack, and the constructs of media in it, each made by one call."""

    def __init__(self, stack: BlueprintStack, rate: Rate, one: Figure) -> None:
        self.stack, self.rate, self.one = stack, rate, one

    @property
    def template(self) -> Template:
        return Template.from_stack(self.stack)

    def properties(self, kind: str) -> dict[str, Any]:
        [found] = self.template.find_resources(kind).values()
        return dict(found["Properties"])

    def key(self) -> EncryptionKey:
        return EncryptionKey(self.stack, "Key", description="Media")

    def bucket(self, id: str = "Media", **rest: Any) -> Bucket:
        return Bucket(self.stack, id, traffic=BucketTraffic(self.rate, self.rate, self.one, self.one), **rest)

    def queue(self) -> WorkQueue:
        return WorkQueue(
            self.stack,
            "Uploaded",
            messages=self.rate,
            requests_per_message=self.one,
            consumer_timeout=Duration.seconds(20),
        )

    def signing_key(self, id: str = "Signing") -> SigningKey:
        found = self.stack.node.try_find_child("Key")
        return SigningKey(self.stack, id, key=found if isinstance(found, EncryptionKey) else self.key())

    def distribution(self, bucket: Bucket, *keys: SigningKey, **rest: Any) -> MediaDistribution:
        traffic = EdgeTraffic(self.rate, self.one, self.rate, self.one)
        return MediaDistribution(self.stack, "Edge", bucket=bucket, signed_by=keys, traffic=traffic, **rest)

    def granted(self, role: str) -> list[dict[str, Any]]:
        """The statements of the policies of the roles whose names hold `role`."""
        found = self.template.find_resources(
            "AWS::IAM::Policy", {"Properties": {"PolicyName": Match.string_like_regexp(role)}}
        )
        return [
            statement
            for each in found.values()
            for statement in each["Properties"]["PolicyDocument"]["Statement"]
        ]


@pytest.fixture
def ground(stack_of: Any, rate: Rate, one: Figure) -> Ground:
    """In production."""
    return Ground(stack_of("production"), rate, one)


@pytest.fixture
def sandbox(stack_of: Any, rate: Rate, one: Figure) -> Ground:
    return Ground(stack_of("sandbox"), rate, one)


class TestBucket:
    def test_by_default_nothing_in_it_expires_or_moves(self, ground: Ground) -> None:
        ground.bucket()
        [rule] = ground.properties("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
        assert set(rule) == {"Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"}
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}

    def test_what_is_temporary_expires_with_its_broken_uploads_and_keeps_no_versions(
        self, ground: Ground
    ) -> None:
        ground.bucket(expires_after_days=1, versioned=False)
        properties = ground.properties("AWS::S3::Bucket")
        assert "VersioningConfiguration" not in properties
        [rule] = properties["LifecycleConfiguration"]["Rules"]
        assert rule["ExpirationInDays"] == 1
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
        assert "NoncurrentVersionExpiration" not in rule

    def test_what_is_old_grows_colder_by_steps_that_are_priced(self, ground: Ground) -> None:
        one = ground.one
        ground.bucket(
            colder=[
                Colder(30, "STANDARD_IA", one * 2, one * 3, one * 4),
                Colder(180, "GLACIER_IR", one, one, one),
            ]
        )
        [resource] = ground.template.find_resources("AWS::S3::Bucket").values()
        [rule] = resource["Properties"]["LifecycleConfiguration"]["Rules"]
        assert rule["Transitions"] == [
            {"StorageClass": "STANDARD_IA", "TransitionInDays": 30},
            {"StorageClass": "GLACIER_IR", "TransitionInDays": 180},
        ]
        declared = {name: figure["value"] for name, figure in resource["Metadata"][KEY].items()}
        assert declared["stored_gb_standard_ia"] == "2"
        assert declared["transitions_to_standard_ia_per_month"] == "3"
        assert declared["retrieved_gb_standard_ia_per_month"] == "4"
        assert declared["stored_gb_glacier_instant"] == "1"

    def test_it_tells_a_queue_that_lets_in_s3_for_this_account_alone_and_is_there_before(
        self, ground: Ground
    ) -> None:
        ground.bucket().tell(ground.queue().queue, COMPLETED)
        [bucket] = ground.template.find_resources("AWS::S3::Bucket").values()
        [told] = bucket["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
        assert told["Event"] == COMPLETED
        [(name, policy)] = [
            (name, each)
            for name, each in ground.template.find_resources("AWS::SQS::QueuePolicy").items()
            if "s3.amazonaws.com" in json.dumps(each)
        ]
        assert name in bucket["DependsOn"]
        [statement] = [
            each
            for each in policy["Properties"]["PolicyDocument"]["Statement"]
            if each.get("Principal") == {"Service": "s3.amazonaws.com"}
        ]
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        ground.template.resource_count_is("AWS::Lambda::Function", 0)


class TestSigningKey:
    def test_a_step_makes_it_once_its_grants_are_there_and_may_do_that_alone(self, ground: Ground) -> None:
        ground.signing_key()
        secret = ground.properties("AWS::SecretsManager::Secret")
        assert "GenerateSecretString" not in secret
        assert "SecretString" not in secret
        assert "KmsKeyId" in secret
        statements = ground.granted("SigningMaking")
        actions = {
            action
            for each in statements
            for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
            if action.partition(":")[0] in ("kms", "secretsmanager")
        }
        assert actions == {
            "kms:GenerateDataKeyPair",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
        }
        for each in statements:
            if "kms:Decrypt" in each["Action"]:
                assert "kms:ViaService" in each["Condition"]["StringEquals"]
        [step] = ground.template.find_resources("Custom::DeploymentStep").values()
        assert any("Policy" in name for name in step["DependsOn"])

    def test_the_edge_is_given_what_the_step_answers(self, ground: Ground) -> None:
        ground.signing_key()
        config = ground.properties("AWS::CloudFront::PublicKey")["PublicKeyConfig"]
        [step] = ground.template.find_resources("Custom::DeploymentStep")
        assert config["EncodedKey"] == {"Fn::GetAtt": [step, "PublicKey"]}

    def test_a_signer_may_read_the_secret_and_use_its_key_through_it(self, ground: Ground) -> None:
        signer = iam.Role(ground.stack, "Signer", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        ground.signing_key().allow(signer)
        statements = ground.granted("Signer")
        assert [each["Action"] for each in statements] == ["secretsmanager:GetSecretValue", "kms:Decrypt"]
        assert "kms:ViaService" in statements[1]["Condition"]["StringEquals"]

    def test_two_stand_side_by_side_under_names_of_their_own_also_in_a_copy(self, ground: Ground) -> None:
        ground.signing_key("Old")
        ground.signing_key("New")
        names = {
            each["Properties"]["PublicKeyConfig"]["Name"]
            for each in ground.template.find_resources("AWS::CloudFront::PublicKey").values()
        }
        assert len(names) == 2
        assert all("somesystemproduction" in name for name in names)


class TestMediaDistribution:
    def test_by_default_only_a_signature_opens_it_and_only_it_opens_the_bucket(self, ground: Ground) -> None:
        bucket = ground.bucket()
        ground.distribution(bucket, ground.signing_key())
        config = ground.properties("AWS::CloudFront::Distribution")["DistributionConfig"]
        behavior = config["DefaultCacheBehavior"]
        [group] = ground.template.find_resources("AWS::CloudFront::KeyGroup")
        assert behavior["TrustedKeyGroups"] == [{"Ref": group}]
        assert behavior["ViewerProtocolPolicy"] == "https-only"
        assert behavior["AllowedMethods"] == ["GET", "HEAD"]
        assert "CacheBehaviors" not in config
        [origin] = config["Origins"]
        assert "OriginAccessControlId" in origin
        statements = ground.properties("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
        allowed = [each for each in statements if each["Effect"] == "Allow"]
        assert [each["Action"] for each in allowed] == ["s3:GetObject"]
        assert allowed[0]["Principal"] == {"Service": "cloudfront.amazonaws.com"}
        [distribution] = ground.template.find_resources("AWS::CloudFront::Distribution")
        source = allowed[0]["Condition"]["StringEquals"]["AWS:SourceArn"]
        assert distribution in json.dumps(source)

    def test_by_default_the_edge_keeps_what_never_changes_and_browsers_run_nothing_of_it(
        self, ground: Ground
    ) -> None:
        ground.distribution(ground.bucket(), ground.signing_key())
        policy = ground.properties("AWS::CloudFront::CachePolicy")["CachePolicyConfig"]
        assert (policy["MinTTL"], policy["MaxTTL"]) == (86_400, 31_536_000)
        kept_under = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        assert kept_under["QueryStringsConfig"] == {"QueryStringBehavior": "none"}
        headers = ground.properties("AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
        security = headers["SecurityHeadersConfig"]
        assert security["ContentTypeOptions"] == {"Override": True}
        assert security["ReferrerPolicy"]["ReferrerPolicy"] == "no-referrer"
        assert security["ContentSecurityPolicy"]["ContentSecurityPolicy"].startswith("default-src 'none'")
        assert "StrictTransportSecurity" in security

    def test_with_everything_said_in_a_sandbox(self, sandbox: Ground) -> None:
        bucket = sandbox.bucket()
        keys = [sandbox.signing_key("Old"), sandbox.signing_key("New")]
        sandbox.distribution(bucket, *keys, kept_at_least=Duration.minutes(5))
        assert len(sandbox.properties("AWS::CloudFront::KeyGroup")["KeyGroupConfig"]["Items"]) == 2
        assert sandbox.properties("AWS::CloudFront::CachePolicy")["CachePolicyConfig"]["MinTTL"] == 300

    def test_a_bucket_with_a_key_of_the_accounts_opens_to_the_edge_without_a_warning(
        self, ground: Ground
    ) -> None:
        from aws_cdk.assertions import Annotations

        key = ground.key()
        ground.distribution(ground.bucket(key=key), ground.signing_key())
        statements = ground.properties("AWS::KMS::Key")["KeyPolicy"]["Statement"]
        [edge] = [each for each in statements if each["Principal"] == {"Service": "cloudfront.amazonaws.com"}]
        assert "kms:Decrypt" in edge["Action"]
        assert "AWS:SourceArn" in json.dumps(edge["Condition"])
        assert Annotations.from_stack(ground.stack).find_warning("*", Match.any_value()) == []

    def test_cdk_finds_nothing_to_say_about_any_of_it(self, ground: Ground) -> None:
        bucket = ground.bucket()
        bucket.tell(ground.queue().queue, COMPLETED)
        ground.distribution(bucket, ground.signing_key())
        app = ground.stack.node.root
        assert isinstance(app, App)
        assembly = app.synth()
        assert [message.entry.data for stack in assembly.stacks for message in stack.messages] == []
