"""The directory: accounts, contacts and groups, of which PostgreSQL holds the truth and the tables a projection."""

from __future__ import annotations

from aws_cdk import Aws, Duration
from constructs import Construct

from lambdas.messaging_platform.settings import BY_USER, DirectorySettings
from patterns.database_schema import DatabaseSchema
from patterns.network import Network
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.schedule import Schedule
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic

HANDLERS = "lambdas.messaging_platform.directory"


class Directory(Construct):
    """Attributes: `api`, `sweep` (every minute it applies what a crash has left), `schedule`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        stores: Stores,
        socket_url: str,
        traffic: Traffic,
    ) -> None:
        super().__init__(scope, id)
        database = stores.database
        schema = DatabaseSchema(
            self, "Schema", handler=f"{HANDLERS}.schema.handler", database=database, network=network
        )
        environment = stores.environment(DirectorySettings, aws_region=Aws.REGION, socket_url=socket_url)
        del environment["AWS_REGION"]  # Lambda sets it, and lets nobody else
        self.api, self.sweep = (
            PythonFunction(
                self,
                f"Directory{name.title()}",
                handler=f"{HANDLERS}.{name}.handler",
                environment=environment,
                libraries=True,
                network=network,
                timeout=Duration.seconds(seconds),
                canary=name == "api",  # a schedule calls the newest version, whatever alias there is
                traffic=calls,
            )
            for name, seconds, calls in (("api", 28, traffic.directory), ("sweep", 50, traffic.sweep))
        )
        for function in (self.api, self.sweep):
            schema.before(function)
            database.allow(function)
            stores.people.allow(function, "DeleteItem", "GetItem", "PutItem", "UpdateItem")
            stores.chats.allow(function, "GetItem", "PutItem", "UpdateItem")
            stores.chats.allow_on_index(function, BY_USER, "Query")
            stores.messages.allow(function, "PutItem")
            stores.sent.allow(function, "GetItem", "PutItem")
        stores.tickets.allow(self.api, "PutItem")
        self.schedule = Schedule(self, "EveryMinute", target=self.sweep, every=Duration.minutes(1))

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        operations.watch_function(self.api, p99=Duration.seconds(3))
        operations.watch_function(self.sweep, p99=Duration.seconds(30))
        operations.watch_dead_letters(self.schedule.dead_letters)
