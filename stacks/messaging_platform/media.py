"""The media service: uploads in parts, an inspection, and addresses that are signed for the members of a chat."""

from __future__ import annotations

from aws_cdk import Duration
from constructs import Construct

from lambdas.messaging_platform.settings import MediaSettings
from patterns.bucket import Bucket, Colder
from patterns.media_distribution import MediaDistribution
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.signing_key import SigningKey
from patterns.work_queue import WorkQueue
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic
from workbench.workload import Figure

INSPECTED_WITHIN = Duration.minutes(5)  # one upload, of 2 GB


class Media(Construct):
    """What was uploaded lies apart from what was inspected, and only that is at the edge.

    Attributes: `api`, `uploads` and `inspected` (buckets), `queue` (of uploads to inspect), `edge`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        stores: Stores,
        traffic: Traffic,
        requests_per_upload: Figure,
    ) -> None:
        super().__init__(scope, id)
        self.uploads = Bucket(
            self, "Uploads", expires_after_days=1, versioned=False, key=stores.key, traffic=traffic.uploaded
        )
        self.inspected = Bucket(
            self,
            "Inspected",
            key=stores.key,
            versioned=False,  # what lies under a key never changes
            colder=[
                Colder(30, "STANDARD_IA", *traffic.media_infrequent),
                Colder(180, "GLACIER_IR", *traffic.media_cold),
            ],
            traffic=traffic.media,
        )
        self.queue = WorkQueue(
            self,
            "ToInspect",
            messages=traffic.uploads,
            requests_per_message=requests_per_upload,
            consumer_timeout=INSPECTED_WITHIN,
        )
        self.uploads.tell(self.queue.queue, "s3:ObjectCreated:CompleteMultipartUpload")
        signing = SigningKey(self, "Signing", key=stores.key)
        self.edge = MediaDistribution(
            self, "Edge", bucket=self.inspected, signed_by=[signing], traffic=traffic.edge
        )
        self.api = PythonFunction(
            self,
            "MediaApi",
            handler="lambdas.messaging_platform.media.api.handler",
            environment=stores.environment(
                MediaSettings,
                uploads_bucket=self.uploads.bucket_name,
                edge_host=self.edge.host,
                key_pair_id=signing.id,
                private_key_secret_arn=signing.secret.secret_arn,
            ),
            libraries=True,
            timeout=Duration.seconds(28),
            canary=True,
            traffic=traffic.media_api,
        )
        signing.allow(self.api)
        stores.media.allow(self.api, "GetItem", "PutItem", "UpdateItem")
        stores.chats.allow(self.api, "GetItem")
        self.uploads.allow(self.api, "PutObject", "ListMultipartUploadParts", "AbortMultipartUpload")

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        operations.watch_function(self.api, p99=Duration.seconds(3))
        operations.watch_queue(self.queue, oldest=Duration.minutes(30))
