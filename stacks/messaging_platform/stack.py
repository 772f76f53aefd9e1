"""A chat. Read it from top to bottom; each service is in the file of its name, and the page beside it says why."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Duration
from aws_cdk import aws_apigatewayv2 as apigw

from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain
from patterns.json_http_api import JsonHttpApi
from patterns.network import Network
from patterns.operations import Operations
from patterns.regional_names import RegionalNames
from patterns.sign_in import SignIn
from stacks.messaging_platform.directory import Directory
from stacks.messaging_platform.media import Media
from stacks.messaging_platform.messaging import Messaging, SocketHandlers
from stacks.messaging_platform.notifications import Notifications
from stacks.messaging_platform.presence import Presence
from stacks.messaging_platform.programs import Programs
from stacks.messaging_platform.routes import DIRECTORY, MEDIA, MESSAGING, OPEN
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic
from stacks.messaging_platform.transport import GatewayFleet, ManagedSockets
from stacks.messaging_platform.workload import TRANSPORT
from workbench.blueprint import Stage
from workbench.workload import Load


class MessagingPlatform(BlueprintStack):
    """Messaging, presence, media, notifications and the directory, in one region."""

    def __init__(self, app: App, *, load: Load, stage: Stage) -> None:
        super().__init__(app, "messaging_platform", load=load, stage=stage, description="Messaging platform")
        of, traffic, domain = load.quantity, Traffic(load), Domain.from_context(self)
        image_tag = str(self.node.try_get_context("image_tag") or "v1")
        # A sandbox notices soon who is gone, for those who try it out; each heartbeat is paid, so production waits.
        alive_seconds, grace_seconds = (150, 15) if self.is_production else (10, 3)
        messages_a_minute = 60 if self.is_production else 120  # a script is quicker than a thumb

        # The ground, and what is kept.
        network = Network(self, "Network", traffic=traffic.network)
        stores = Stores(self, "Stores", network=network, traffic=traffic)

        # The services.
        messaging = Messaging(
            self,
            "Messaging",
            network=network,
            stores=stores,
            messages_a_minute=messages_a_minute,
            traffic=traffic,
        )
        media = Media(
            self,
            "Media",
            stores=stores,
            traffic=traffic,
            requests_per_upload=of("queue_requests"),
            domain=None,
        )
        notifications = Notifications(
            self, "Notifications", stores=stores, traffic=traffic, requests_per_push=of("queue_requests")
        )

        # The way of the sockets.
        fleet = management_url = None
        if self.chosen(TRANSPORT) == "gateway_fleet":
            fleet = GatewayFleet(self, "Fleet", network=network, traffic=traffic, domain=None)
            socket_url = fleet.url
        else:
            presence = Presence(
                self, "Presence", network=network, stores=stores, traffic=traffic, alive_seconds=alive_seconds
            )
            handlers = SocketHandlers(
                self,
                "SocketHandlers",
                stores=stores,
                messages_a_minute=messages_a_minute,
                traffic=traffic,
            )
            sockets = ManagedSockets(self, "Sockets", handlers=handlers, presence=presence, traffic=traffic)
            socket_url, management_url = sockets.url, sockets.management_url
        directory = Directory(
            self, "Directory", network=network, stores=stores, socket_url=socket_url, traffic=traffic
        )

        # The way of everything else, by HTTP.
        sign_in = SignIn(
            self, "SignIn", monthly_active_users=of("one") * load.users, sign_ins=traffic.sign_ins
        )
        api = JsonHttpApi(
            self,
            "Http",
            requests=traffic.http_requests,
            log_bytes=of("access_log_bytes"),
            response_bytes=of("response_bytes"),
        )
        for routes, function in (
            (DIRECTORY, directory.api),
            (MESSAGING, messaging.api),
            (MEDIA, media.api),
        ):
            for path, methods in routes.items():
                api.route(path, *methods, to=function, sign_in=sign_in)
        for path, methods in OPEN.items():
            api.route(path, *methods, to=messaging.api)

        # What lives long.
        programs = Programs(
            self,
            "Programs",
            network=network,
            stores=stores,
            media=media,
            notifications=notifications,
            management_url=management_url or "",
            gateway_secret_arn=fleet.secret.secret_arn if fleet else "",
            alive_seconds=alive_seconds,
            grace_seconds=grace_seconds,
            traffic=traffic,
            image_tag=image_tag,
        )
        if fleet:
            fleet.run(
                programs, stores=stores, alive_seconds=alive_seconds, messages_a_minute=messages_a_minute
            )
        else:
            sockets.allow_managing(presence.function, "DELETE")
            sockets.allow_managing(programs.fan_out, "POST", "DELETE")

        # Names, for those who have a domain, and who is told when something is wrong.
        stages: dict[str, apigw.HttpStage | apigw.WebSocketStage] = {"api": api.stage}
        if not fleet:
            stages["chat"] = sockets.stage
        RegionalNames(self, "Names", host=api.host, stages=stages, domain=domain)
        operations = Operations(self, "Operations")
        operations.watch_api(api, p99=Duration.seconds(2))
        for part in (stores, messaging, media, notifications, directory):
            part.watch(operations)
        if not fleet:
            operations.watch_sockets(sockets, p99=Duration.seconds(1))
            handlers.watch(operations)
            presence.watch(operations)
        operations.watch_steps()

        outputs = {
            "ApiUrl": f"https://{api.host}",
            "SocketUrl": socket_url,
            "UserPoolId": sign_in.pool.user_pool_id,
            "ClientId": sign_in.client.user_pool_client_id,
            "PushTopicArn": notifications.channel.topic.topic_arn,
            "RepositoryUri": programs.images.repository_uri,
            **inside(stores, messaging, directory, media, notifications, programs),
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def inside(
    stores: Stores,
    messaging: Messaging,
    directory: Directory,
    media: Media,
    notifications: Notifications,
    programs: Programs,
) -> dict[str, str]:
    """What only the system's owner looks at, and the scenario where it looks inside."""
    return {
        "MessagesTable": stores.messages.table_name,
        "MessagesStreamArn": str(stores.messages.table_stream_arn),
        "ChatsTable": stores.chats.table_name,
        "PeopleTable": stores.people.table_name,
        "InboxesTable": stores.inboxes.table_name,
        "MediaTable": stores.media.table_name,
        "KafkaName": stores.kafka.name,
        "CacheId": stores.cache.group_id,
        "ParkedRecordsUrl": stores.parked.queue_url,
        "RelayFunctionArn": messaging.relay.function.function_arn,
        "DirectoryFunctionArn": directory.api.function.function_arn,
        "SweepFunctionArn": directory.sweep.function.function_arn,
        "UploadsBucket": media.uploads.bucket_name,
        "UploadsQueueUrl": media.queue.queue.queue_url,
        "PushFunctionArn": notifications.function.function.function_arn,
        "PushQueueUrl": notifications.queue.queue.queue_url,
        "ParkedPushesUrl": notifications.queue.dead_letters.queue_url,
        "QuietGroup": notifications.channel.group_name,
        "FanOutDeployment": programs.fan_out.deployment,
    }
