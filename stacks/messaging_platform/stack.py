"""A chat. Read it from top to bottom; each service is in the file of its name, and the page beside it says why."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Duration

from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain
from patterns.json_http_api import JsonHttpApi
from patterns.network import Network
from patterns.operations import Operations
from patterns.regional_names import RegionalNames
from patterns.sign_in import SignIn
from stacks.messaging_platform.directory import Directory
from stacks.messaging_platform.media import Media
from stacks.messaging_platform.messaging import Messaging
from stacks.messaging_platform.notifications import Notifications
from stacks.messaging_platform.outputs import for_clients, for_the_owner
from stacks.messaging_platform.pace import PACES
from stacks.messaging_platform.programs import Programs
from stacks.messaging_platform.routes import DIRECTORY, MEDIA, MESSAGING, OPEN
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic
from stacks.messaging_platform.transport import transport
from stacks.messaging_platform.workload import TRANSPORT
from workbench.blueprint import Stage
from workbench.workload import Load


class MessagingPlatform(BlueprintStack):
    """Messaging, presence, media, notifications and the directory, in one region."""

    def __init__(self, app: App, *, load: Load, stage: Stage) -> None:
        super().__init__(app, "messaging_platform", load=load, stage=stage, description="Messaging platform")
        of, traffic, pace = load.quantity, Traffic(load), PACES[stage]

        # The ground, and what is kept.
        network = Network(self, "Network", traffic=traffic.network)
        stores = Stores(self, "Stores", network=network, traffic=traffic)

        # The services.
        messaging = Messaging(self, "Messaging", network=network, stores=stores, pace=pace, traffic=traffic)
        media = Media(self, "Media", stores=stores, requests_per_upload=of("queue_requests"), traffic=traffic)
        notifications = Notifications(
            self, "Notifications", stores=stores, requests_per_push=of("queue_requests"), traffic=traffic
        )

        # The way of the sockets.
        sockets = transport(
            self, self.chosen(TRANSPORT), network=network, stores=stores, pace=pace, traffic=traffic
        )
        directory = Directory(
            self, "Directory", network=network, stores=stores, socket_url=sockets.url, traffic=traffic
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
        for routes, function in ((DIRECTORY, directory.api), (MESSAGING, messaging.api), (MEDIA, media.api)):
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
            management_url=sockets.management_url,
            gateway_secret_arn=sockets.gateway_secret_arn,
            pace=pace,
            traffic=traffic,
            image_tag=str(self.node.try_get_context("image_tag") or "v1"),
        )
        sockets.join(programs)

        # Names, for those who have a domain, and who is told when something is wrong.
        RegionalNames(
            self,
            "Names",
            host=api.host,
            stages={"api": api.stage, **sockets.stages},
            domain=Domain.from_context(self),
        )
        operations = Operations(self, "Operations")
        operations.watch_api(api, p99=Duration.seconds(2))
        for part in (stores, messaging, media, notifications, directory, sockets, programs):
            part.watch(operations)
        operations.watch_steps()

        for name, value in {
            **for_clients(api, sockets, sign_in),
            **for_the_owner(stores, messaging, directory, media, notifications, programs),
        }.items():
            CfnOutput(self, name, value=value)
