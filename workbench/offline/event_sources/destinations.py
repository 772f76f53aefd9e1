"""Where the record of given-up batches goes: a queue, a topic or a bucket, called as the function's role."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.arn import parse_arn

from workbench.offline.clients import client_as
from workbench.offline.event_sources.on_failure import object_key
from workbench.offline.surroundings import surroundings

log = logging.getLogger("event_sources")


def send(
    destination: str,
    document: dict[str, Any],
    event: dict[str, Any],
    *,
    mapping_id: str,
    shard: str,
    function: Mapping[str, Any],
    now: float,
) -> None:
    """Deliver `document`, to a bucket with the whole event. What cannot be delivered is lost, as on AWS.

    Lambda then counts `DestinationDeliveryFailures`; here the log says it besides.
    """
    try:
        _deliver(destination, document, event, object_key(mapping_id, shard, now), function)
    except Exception as problem:  # whatever the destination answers, the shard goes on
        log.error("event source mapping %s: nothing delivered to %s: %s", mapping_id, destination, problem)


def _deliver(
    destination: str, document: dict[str, Any], event: dict[str, Any], key: str, function: Mapping[str, Any]
) -> None:
    target = parse_arn(destination)
    region = target.region or parse_arn(str(function["FunctionArn"])).region
    keys = lambda_runtime.execution_credentials(dict(function))
    client = client_as(keys, target.service, region)
    if target.service == "sqs":
        url = f"{surroundings().url}/{target.account_id}/{target.resource}"  # the role need not ask for it
        client.send_message(QueueUrl=url, MessageBody=json.dumps(document))
    elif target.service == "sns":
        client.publish(TopicArn=destination, Message=json.dumps(document))
    else:
        body = json.dumps({**document, "payload": json.dumps(event)}).encode()
        client.put_object(Bucket=target.resource, Key=key, Body=body, ContentType="application/json")
