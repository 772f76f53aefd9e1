"""Event source mappings of Kinesis, DynamoDB streams and Kafka, driven by `event_sources` instead of MiniStack.

MiniStack's own loop goes on to drive SQS. Besides: what a mapping may say and whether its function's role may
read the source are checked as Lambda checks them, through the API and through CloudFormation alike; and these
commands make the faults that at-least-once delivery allows (`mapping` is an id, or the ARN of a source):

    streams/list                       every mapping: id, function, source, state, held, waiting records
    streams/hold      {mapping}        records pile up, nothing is delivered; returns when no delivery runs
    streams/release   {mapping}        delivery goes on
    streams/again     {mapping}        the last successful batch is delivered once more
    streams/reorder   {mapping}        what waits is delivered in another order: SQS standard queues, last first;
                                       Kafka, last partition first, in order within each
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core import concurrency
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, new_uuid
from ministack.services import iam, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from workbench.offline.control import Refused, command
from workbench.offline.event_sources import functions, permissions, streams, validation
from workbench.offline.event_sources.mappings import RUNNING, Runner, StreamRunner
from workbench.offline.event_sources.validation import Kind
from workbench.offline.parts import make_in_a_thread
from workbench.offline.stand_ins._making import answered

TYPE = "AWS::Lambda::EventSourceMapping"
REFUSED = "Invalid request provided"  # how CloudFormation begins
HELD_WITHIN = 30.0  # seconds that `streams/hold` waits for a function that runs
CREATED_WITHIN = 15.0  # seconds that CloudFormation waits for a mapping to be connected

# What every mapping of a stream shows, and its default: "CreateEventSourceMapping" of the Lambda API reference.
_STREAM_DEFAULTS: dict[str, Any] = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "TumblingWindowInSeconds": 0,
    "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [],
}
_KAFKA_DEFAULTS: dict[str, Any] = {
    "BatchSize": 100,
    "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [],
}
_AS_GIVEN = (
    "FilterCriteria",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "SelfManagedEventSource",
    "SourceAccessConfigurations",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "ProvisionedPollerConfig",
    "MaximumBatchingWindowInSeconds",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "Tags",
)
# What an update may change besides what MiniStack's own lets it.
_UPDATED_HERE = ("TumblingWindowInSeconds", "SourceAccessConfigurations", "ProvisionedPollerConfig")
_IMMUTABLE = (
    "EventSourceArn",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "SelfManagedEventSource",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
)
_NUMBERS = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "ParallelizationFactor",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "TumblingWindowInSeconds",
)

_sqs_gate = threading.Lock()  # held while MiniStack's loop looks after one queue
_held_queues: set[str] = set()  # ids of mappings
_last_batches: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}  # of queues: the function, and its event

_create_of_a_queue = lambda_svc._create_esm
_update_of_any = lambda_svc._update_esm
_run_sqs_batch = lambda_svc._run_sqs_batch


def extend() -> None:
    """Replace MiniStack's pollers of streams, and check mappings as Lambda does."""
    streams.count_what_expires()
    lambda_svc._poll_kinesis = lambda_svc._poll_dynamodb_streams = lambda: False
    lambda_svc._create_esm = create
    lambda_svc._update_esm = update
    lambda_svc._iter_all_esms = _but_those_held(lambda_svc._iter_all_esms)
    lambda_svc._run_sqs_batch = _remembered
    provisioners._RESOURCE_HANDLERS[TYPE] = {
        "create": _provision,
        "update": _provision_update,
        "delete": provisioners._lambda_esm_delete,
    }
    # It waits for a Kafka mapping to be connected, as CloudFormation does.
    make_in_a_thread(TYPE)
    _wake_with_ministack()
    _add_the_policy_for_msk()


# The API.


def create(request: dict[str, Any]) -> Any:
    """`CreateEventSourceMapping`."""
    kind = _kind(request)
    if kind is None:
        return _create_of_a_queue(request)  # which says what is wrong with the ARN
    name, qualifier, missing = lambda_svc._resolve_existing_esm_function(request.get("FunctionName", ""))
    if missing:
        return missing
    mapping = _mapping(kind, request, name, qualifier)
    refused = _refused(kind, mapping, creating=True)
    if refused:
        return refused
    if kind == "sqs":
        return _create_of_a_queue(request)
    runner = _runner(kind, mapping)
    if isinstance(runner, str):
        return error_response_json("InvalidParameterValueException", runner, 400)
    lambda_svc._esms[mapping["UUID"]] = mapping
    runner.start()
    return json_response(lambda_svc._esm_response(mapping), 202)


def update(mapping_id: str, request: dict[str, Any]) -> Any:
    """`UpdateEventSourceMapping`: what it may say is asked of the whole that it makes."""
    mapping = lambda_svc._esms.get(mapping_id)
    kind = _kind(mapping or {})
    if mapping is None or kind is None:
        return _update_of_any(mapping_id, request)
    whole = {**mapping, **request}
    name, qualifier, missing = lambda_svc._resolve_existing_esm_function(
        request.get("FunctionName", mapping["FunctionArn"])
    )
    if missing:
        return missing
    refused = _refused(kind, {**whole, "FunctionName": name, "Qualifier": qualifier}, creating=False)
    if refused:
        return refused
    mapping |= {each: request[each] for each in _UPDATED_HERE if each in request}
    answer = _update_of_any(mapping_id, request)
    if mapping_id in RUNNING:
        RUNNING[mapping_id].wake()
    return answer


def _kind(mapping: Mapping[str, Any]) -> Kind | None:
    if mapping.get("SelfManagedEventSource"):
        return "kafka"
    try:
        source = parse_arn(mapping.get("EventSourceArn") or "")
    except ArnParseError:
        return None
    kinds: dict[str, Kind] = {"sqs": "sqs", "kinesis": "kinesis", "dynamodb": "dynamodb", "kafka": "kafka"}
    return kinds.get(source.service)


def _mapping(kind: Kind, request: Mapping[str, Any], name: str, qualifier: str | None) -> dict[str, Any]:
    """The mapping that this request makes, as MiniStack keeps it."""
    enabled = str(request.get("Enabled", True)).lower() != "false"
    arn = lambda_svc._func_arn(name) + (f":{qualifier}" if qualifier else "")
    defaults = {"sqs": {}, "kafka": _KAFKA_DEFAULTS}.get(kind, _STREAM_DEFAULTS)
    mapping: dict[str, Any] = {
        "UUID": new_uuid(),
        "FunctionArn": arn,
        "FunctionName": name,
        "Qualifier": qualifier,
        "State": "Creating" if kind == "kafka" else "Enabled" if enabled else "Disabled",
        "StateTransitionReason": "USER_INITIATED" if kind == "kafka" else "User action",
        "LastModified": int(time.time()),
        "LastProcessingResult": "No records processed",
        "Enabled": enabled,
    }
    mapping |= {each: request.get(each) or default for each, default in defaults.items()}
    mapping |= {each: request[each] for each in _AS_GIVEN if request.get(each) is not None}
    if request.get("EventSourceArn"):
        mapping["EventSourceArn"] = request["EventSourceArn"]
    return mapping


def _refused(kind: Kind, mapping: Mapping[str, Any], *, creating: bool) -> Any:
    """The error that Lambda answers with, or None."""
    if wrong := validation.refusal(kind, mapping, creating=creating):
        return error_response_json(*wrong, 400)
    function = functions.configuration_of(mapping)
    if function is not None and (says := permissions.refusal(mapping, function)):
        return error_response_json("InvalidParameterValueException", says, 400)
    return None


def _runner(kind: Kind, mapping: dict[str, Any]) -> Runner | str:
    """What will drive the mapping, or why nothing can."""
    if kind == "kafka":
        # Only here, for it loads the Kafka client: most systems have no Kafka.
        from workbench.offline.event_sources.kafka import KafkaRunner

        try:
            return KafkaRunner(get_account_id(), get_region(), mapping)
        except Exception as problem:
            return f"Cannot find the brokers of {mapping.get('EventSourceArn')}: {problem}"
    function = functions.configuration_of(mapping) or {}
    if not streams.shards_of(mapping["EventSourceArn"], function.get("Role", "")):
        return f"Stream not found: {mapping['EventSourceArn']}"
    return StreamRunner(get_account_id(), get_region(), mapping, function.get("Role", ""))


# CloudFormation.


def _provision(logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
    mapping_id = str(answered(lambda_svc._create_esm(_from_cloudformation(properties)), REFUSED)["UUID"])
    until = time.monotonic() + CREATED_WITHIN
    mapping = lambda_svc._esms[mapping_id]
    while mapping["State"] == "Creating":
        if time.monotonic() > until:
            raise ValueError(
                f"{logical_id}: not connected within {CREATED_WITHIN:.0f} s: {mapping['LastProcessingResult']}"
            )
        time.sleep(0.02)
    return mapping_id, provisioners._lambda_esm_attrs(mapping_id)


def _provision_update(
    mapping_id: str, old: dict[str, Any], new: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    if mapping_id not in lambda_svc._esms:
        return _provision(mapping_id, new, stack)
    if any(new.get(name) != old.get(name) for name in _IMMUTABLE):
        made = _provision(mapping_id, new, stack)
        provisioners._delete_predecessor(provisioners._lambda_esm_delete, mapping_id, old)
        return made
    answered(lambda_svc._update_esm(mapping_id, {**_gone(old, new), **_from_cloudformation(new)}), REFUSED)
    return mapping_id, provisioners._lambda_esm_attrs(mapping_id)


def _gone(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What a template no longer says falls back to its default."""
    return {name: default for name, default in _STREAM_DEFAULTS.items() if name in old.keys() - new.keys()}


def _from_cloudformation(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The API's request for a resource's properties: numbers and truths may come as text there."""
    request = dict(properties)
    for name in _NUMBERS:
        if name in request:
            request[name] = int(request[name])
    for name in ("Enabled", "BisectBatchOnFunctionError"):
        if name in request:
            request[name] = str(request[name]).lower() == "true"
    if isinstance(request.get("Tags"), list):
        request["Tags"] = {each["Key"]: each["Value"] for each in request["Tags"]}
    endpoints = (request.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
    if endpoints:
        servers = endpoints.get("KafkaBootstrapServers") or endpoints["KAFKA_BOOTSTRAP_SERVERS"]
        request["SelfManagedEventSource"] = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}
    return request


# What MiniStack's own loop is taught.


def _wake_with_ministack() -> None:
    """Whatever wakes MiniStack's loop (a record was put) wakes ours."""
    wake = concurrency.esm_wake.set

    def wake_all() -> None:
        wake()
        for runner in list(RUNNING.values()):
            runner.wake()

    concurrency.esm_wake.set = wake_all


def _but_those_held(iterate: Any) -> Any:
    """MiniStack's loop over all mappings, without those held; one is not held while the loop is at it."""

    def over() -> Iterator[tuple[str, str, dict[str, Any]]]:
        for account, region, mapping in iterate():
            with _sqs_gate:
                if mapping["UUID"] not in _held_queues:
                    yield account, region, mapping

    return over


def _remembered(mapping: dict[str, Any], function: dict[str, Any], event: dict[str, Any], *rest: Any) -> None:
    """Deliver a batch of messages, and keep it where it succeeded."""
    _run_sqs_batch(mapping, function, event, *rest)
    if mapping["LastProcessingResult"] == f"OK - {len(event['Records'])} records":
        _last_batches[mapping["UUID"]] = (function, event)


def _add_the_policy_for_msk() -> None:
    """The managed policy that the CDK gives to functions with an MSK source, which MiniStack does not know."""
    network = (*permissions.NETWORK_INTERFACES, *permissions.NETWORK)
    actions = [
        *(f"kafka:{name}" for name in ("DescribeCluster", "DescribeClusterV2", "GetBootstrapBrokers")),
        *(f"ec2:{name}" for name in network),
        *(f"logs:{name}" for name in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")),
    ]
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    }
    name = "service-role/AWSLambdaMSKExecutionRole"
    iam._aws_managed_policies.setdefault(
        f"{iam._AWS_MANAGED_POLICY_PREFIX}{name}",
        iam._make_aws_managed_record(name, json.dumps(document), "Access to MSK clusters for Lambda."),
    )


# The commands.


@command("streams/list")
def listed() -> dict[str, Any]:
    """Every mapping, and how many records wait for it."""
    return {
        "mappings": [
            {
                "mapping": mapping["UUID"],
                "function": mapping["FunctionName"],
                "source": _source(mapping),
                "state": mapping["State"],
                "held": _is_held(mapping["UUID"]),
                "waiting": _waiting(mapping),
            }
            for mapping in list(lambda_svc._esms._data.values())
        ]
    }


@command("streams/hold")
def hold(mapping: str) -> dict[str, Any]:
    """Let records pile up."""
    return _each(mapping, _hold)


@command("streams/release")
def release(mapping: str) -> dict[str, Any]:
    """Deliver again."""
    return _each(mapping, _release)


@command("streams/again")
def again(mapping: str) -> dict[str, Any]:
    """Deliver the last successful batch once more; `records` says how many it had."""
    return _each(mapping, _again)


@command("streams/reorder")
def reorder(mapping: str) -> dict[str, Any]:
    """Deliver what waits in another order, as far as the source promises none."""
    return _each(mapping, _reorder)


def _each(named: str, act: Any) -> dict[str, Any]:
    found = [
        mapping
        for mapping in list(lambda_svc._esms._data.values())
        if named in (mapping["UUID"], _source(mapping))
    ]
    if not found:
        raise Refused(f"no event source mapping is or reads {named}; streams/list names those that there are")
    return {"mappings": [{"mapping": mapping["UUID"], **act(mapping)} for mapping in found]}


def _hold(mapping: dict[str, Any]) -> dict[str, Any]:
    runner = RUNNING.get(mapping["UUID"])
    if runner is not None:
        still = not runner.hold(HELD_WITHIN)
    else:
        with _sqs_gate:
            _held_queues.add(mapping["UUID"])
        until = time.monotonic() + HELD_WITHIN
        while lambda_svc._esm_inflight.get(mapping["UUID"]) and time.monotonic() < until:
            time.sleep(0.01)
        still = bool(lambda_svc._esm_inflight.get(mapping["UUID"]))
    if still:
        raise Refused(
            f"{mapping['FunctionName']} still runs after {HELD_WITHIN:.0f} s; nothing new is delivered"
        )
    return {"held": True}


def _release(mapping: dict[str, Any]) -> dict[str, Any]:
    if runner := RUNNING.get(mapping["UUID"]):
        runner.release()
    _held_queues.discard(mapping["UUID"])
    concurrency.esm_wake.set()
    return {"held": False}


def _again(mapping: dict[str, Any]) -> dict[str, Any]:
    if runner := RUNNING.get(mapping["UUID"]):
        return {"records": runner.again()}
    if mapping["UUID"] not in _last_batches:
        return {"records": 0}
    function, event = _last_batches[mapping["UUID"]]
    lambda_svc._execute_function(function, event)
    return {"records": len(event["Records"])}


def _reorder(mapping: dict[str, Any]) -> dict[str, Any]:
    runner = RUNNING.get(mapping["UUID"])
    if runner is not None and runner.reorder():
        return {}
    queue = sqs._queue_by_arn(mapping.get("EventSourceArn", ""))
    if queue is None or queue["is_fifo"]:
        raise Refused(f"{_source(mapping)} promises an order; a standard queue and a Kafka topic do not")
    with sqs._queues_lock:
        queue["messages"].reverse()
    return {}


def _source(mapping: Mapping[str, Any]) -> str:
    return str(mapping.get("EventSourceArn") or (mapping.get("Topics") or [""])[0])


def _is_held(mapping_id: str) -> bool:
    runner = RUNNING.get(mapping_id)
    return runner.held if runner else mapping_id in _held_queues


def _waiting(mapping: Mapping[str, Any]) -> int:
    if runner := RUNNING.get(mapping["UUID"]):
        return runner.waiting()
    queue = sqs._queue_by_arn(mapping["EventSourceArn"])
    return len(queue["messages"]) if queue else 0
