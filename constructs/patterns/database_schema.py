"""The tables of a database, which a deployment brings it to before the functions that use them are changed."""

from __future__ import annotations

import hashlib

from aws_cdk import Aws, Duration
from constructs import Construct

from patterns.deployment_step import DeploymentStep
from patterns.network import Network
from patterns.postgres import Postgres
from patterns.python_function import ROOT, PythonFunction


class DatabaseSchema(DeploymentStep):
    """A step that calls `handler` when the stack is created and whenever the handler's own file is another one.

    It connects through the proxy as every client does, once that, its targets and the open port are there. Its
    properties: `Host`, `Port`, `Database`, `User`, `Region`, `Schema` (SHA-256 of the file). The functions that use
    the tables wait for it: `before`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        handler: str,
        database: Postgres,
        network: Network,
        timeout: Duration | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            handler=handler,
            properties={
                "Host": database.endpoint,
                "Port": str(database.port),
                "Database": database.database_name,
                "User": database.user,
                "Region": Aws.REGION,
                "Schema": _fingerprint(handler),
            },
            timeout=timeout or Duration.minutes(14),
            network=network,
            libraries=True,
        )
        self.after(database.allow(self.worker))
        self.resource.node.add_dependency(database)

    def before(self, function: PythonFunction) -> None:
        """Have `function` wait for the tables, so that none of its code runs on those of the release before."""
        # Not what stands around it: its security group is in a rule of the database's.
        function.function.node.add_dependency(self.resource)


def _fingerprint(handler: str) -> str:
    module = handler.rpartition(".")[0].replace(".", "/")
    return hashlib.sha256((ROOT / f"{module}.py").read_bytes()).hexdigest()
