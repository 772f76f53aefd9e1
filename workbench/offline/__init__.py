"""What runs inside the offline AWS's own process: MiniStack, and all that it lacks.

Nothing here is imported by the workbench outside of that process, which `gateway.py` is. Four words for what is
added:

* A **part** (`parts/`) extends MiniStack: each module has `extend()`. `auto_scaling`, `instances`, `load_balancers`
  and `tasks` run programs; `eks`, `elasticache`, `msk` and `rds` put engines behind records; `mediaconvert` and
  `elsewhere` answer for services that MiniStack lacks; `cdk_cli`, `named_resources`, `networks`, `parameters`,
  `secrets`, `signatures` and `websockets` set right what it does otherwise than AWS; `streams` drives event sources;
  `faults`, `queues`, `websockets` and `workers` make faults.
* An **engine** (`engines/`) is a real server or program behind a resource. `kafka` (with `kafka_broker`, `_front`,
  `_coordinator`, `_groups`, `_topics`, `_wire`), `postgres` (`_front`, `_proxy`, `_wire`), `redis`, `kubernetes` (its
  API: `_server`, `_access`, `_objects`, `_kinds`, `_rules`; its controllers: `_deployments`, `_ingress`, `_nodes`,
  `_pods`) and `program` implement the protocol in `engines/__init__.py`; `ffmpeg` and `moto` are run on demand;
  `listeners` has the ports of all of them.
* A **stand-in** (`stand_ins/`) provisions a resource type that MiniStack's CloudFormation does not know: each module
  has `STAND_INS`. `compute`, `eks`, `elasticache`, `mediaconvert`, `msk`, `network`, `rds`, `records`; `_making` is
  what they are made with.
* A **command** (`control.py`) is what a dry run may ask for beside the AWS API, `POST /_blueprint/<command>`. Those
  that every engine has are in `engine_commands.py`; faults that stand until they are ended in `standing.py`.

What several of these need: `surroundings` (where the process runs), `identity` (who signed a request, what IAM lets
them do, and the log of decisions), `certificates`, `clients` of the offline AWS's own API, `schedulers`. What one of
them needs: `database_records`, `databases` and `database_proxies` (RDS), `media_settings` and `media_jobs`
(MediaConvert), `images` (programs), `event_sources/` (streams), `call_rules` and `clock` (faults), `edge` and
`forkserver` (the gateway), `socket_apis` (WebSockets), `signed_urls` (signatures). `inside/` is what runs in the
processes of functions and programs.
"""
