"""The offline AWS as a process: MiniStack, with what the dry run needs of it besides.

Run by `emulator.py` as `python -m workbench.offline.gateway`; never imported by the workbench, because it
imports and extends MiniStack (pinned to one version; tests/workbench/test_dry_run.py holds each of these):

* every IAM decision is written to `$BLUEPRINT_IAM_LOG`, a line of JSON each, so that the report can name
  refused calls and grants that nothing used;
* CloudFront keeps responses as long as its cache policy says (`edge.py`), and reaches API Gateway origins
  by their AWS names, so that the distribution deploys as it is;
* API Gateway answers to its AWS host names, its JWT authorizer works with TLS, and it sends null bodies;
* Python workers are forked from a process that has their libraries (`forkserver.py`), and say where a log ends;
* what a function writes after its log group was deleted makes no new one;
* the parts in `parts/`, the stand-ins in `stand_ins/` and the commands of `control.py` are added;
* the resource types it provisions are written to `$BLUEPRINT_TYPES_FILE`;
* the process ends when its standard input does, so that it never outlives a killed parent.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from functools import cache
from typing import Any

import ministack.app as app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import apigateway, cloudfront, cloudwatch_logs, lambda_svc
from ministack.services.cloudformation import provisioners

from workbench.offline import control, parts, stand_ins
from workbench.offline.edge import (
    CACHED_METHODS,
    CachePolicy,
    EdgeCache,
    asks_for_a_part,
    seconds_kept,
    varying,
)
from workbench.offline.forkserver import ForkServer
from workbench.offline.identity import write_down

_EXECUTE_API_NAME = re.compile(
    r"^([a-f0-9]{8})\.execute-api\.(?:[a-z0-9-]+\.amazonaws\.com|localhost)(?::\d+)?$"
)
POLL_SECONDS = 0.1
# Batches are asked for as what they are batches of: "Actions, resources, and condition keys for Amazon SQS", and SNS.
_ASKED_FOR = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
}
OWN_HEALTH = "/_ministack/health"
_evaluated: contextvars.ContextVar[Any] = contextvars.ContextVar("evaluated", default=None)


def record_iam_decisions() -> None:
    """Write down every decision on a principal other than root."""
    evaluate, enforce = iam_evaluator.evaluate, iam_evaluator.enforce

    def evaluate_and_remember(context: Any, *policies: Any) -> Any:
        _evaluated.set(context)
        return evaluate(context, *policies)

    def enforce_and_record(access_key: Any, action: str, *args: Any, **kwargs: Any) -> Any:
        _evaluated.set(None)
        refusal = enforce(access_key, _ASKED_FOR.get(action, action), *args, **kwargs)
        context = _evaluated.get()
        if context is not None:
            write_down(context.principal_arn, context.action, context.resource_arn, allowed=refusal is None)
        return refusal

    iam_evaluator.evaluate = evaluate_and_remember
    iam_evaluator.enforce = enforce_and_record


def tell_concurrency_actions_apart() -> None:
    """A function's concurrency is put, got and deleted by three actions; MiniStack asks for the first of them always.

    Source: "Actions defined by AWS Lambda", Service Authorization Reference.
    """
    action_of = iam_actions._lambda_action

    def told_apart(method: str, path: str) -> str | None:
        found: str | None = action_of(method, path)
        if found != "PutFunctionConcurrency":
            return found
        return {"DELETE": "DeleteFunctionConcurrency", "GET": "GetFunctionConcurrency"}.get(method, found)

    iam_actions._lambda_action = told_apart


def name_schedules_by_their_group() -> None:
    """A schedule's ARN has its group, which a request names in its body or its query; MiniStack takes the default's.

    Source: "Resource types defined by Amazon EventBridge Scheduler", Service Authorization Reference.
    """
    extract = iam_actions.extract_resource_arn

    def named(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any, **more: Any
    ) -> Any:
        arn = extract(service, method, path, headers, body, query, *rest, **more)
        if service != "scheduler" or not str(arn).partition(":schedule/default/")[1]:
            return arn
        asked = query.get("groupName") or [""]
        group = asked[0] if isinstance(asked, list) else asked
        with contextlib.suppress(ValueError):
            group = group or json.loads(body or b"{}").get("GroupName", "")
        return str(arn).replace(":schedule/default/", f":schedule/{group or 'default'}/", 1)

    iam_actions.extract_resource_arn = named


def answer_to_aws_names(port: int) -> None:
    """Route `<id>.execute-api.<region>.amazonaws.com` here, also as a CloudFront origin."""
    app._EXECUTE_API_RE = _EXECUTE_API_NAME
    connect_target, is_aws_owned = cloudfront._origin_connect_target, cloudfront._is_aws_owned_host

    def target(origin: dict[str, Any], viewer_is_https: bool) -> Any:
        if _EXECUTE_API_NAME.match(origin["domain_name"]):
            return "localhost", port, True
        return connect_target(origin, viewer_is_https)

    cloudfront._origin_connect_target = target
    # Every request to an origin would read all of the system's certificates anew.
    cloudfront._origin_ssl_context = cache(cloudfront._origin_ssl_context)
    cloudfront._is_aws_owned_host = lambda host: host != "localhost" and is_aws_owned(host)


def fetch_token_keys_by_tls(port: int) -> None:
    """The JWT authorizer asks the user pool for its keys over plain HTTP, which a port with TLS refuses."""
    resolve = apigateway._resolve_jwks_url

    async def over_tls(authorizer: dict[str, Any]) -> Any:
        url = await resolve(authorizer)
        return url and url.replace(f"http://localhost:{port}/", f"https://localhost:{port}/")

    apigateway._resolve_jwks_url = over_tls


def send_empty_bodies() -> None:
    """A function may answer with a null body, as for 204: API Gateway sends none, MiniStack fails."""
    send_response = app._send_response

    async def send(send: Any, status: int, headers: Any, body: Any, **rest: Any) -> None:
        await send_response(send, status, headers, b"" if body is None else body, **rest)

    app._send_response = send


def fork_workers() -> None:
    """Python functions run in forks of a process that has their libraries loaded, not in new interpreters."""
    server = ForkServer()

    class _Subprocess:
        """The module `subprocess`, but that Python workers are forked."""

        def __getattr__(self, name: str) -> Any:
            return getattr(subprocess, name)

        @staticmethod
        def Popen(command: list[str], **options: Any) -> Any:  # noqa: N802 (its name there)
            if len(command) == 2 and command[1].endswith("_worker.py"):
                return server.popen(command[1], options["cwd"], options["env"])
            return subprocess.Popen(command, **options)

    lambda_runtime.subprocess = _Subprocess()


def mark_the_end_of_a_log() -> None:
    """A Python worker says where the log of an invocation ends, so that nobody waits to see whether it did."""
    end = "\x00end of log"
    answered = "        _real_stdout.flush()\n\nrun()"
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if answered not in script:
        raise RuntimeError("MiniStack's Python worker is not as this version of the gateway knows it")
    marked = f"        sys.stderr.write({end!r} + chr(10))\n        sys.stderr.flush()\n{answered}"
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(answered, marked)
    drain = lambda_runtime.Worker._drain_stderr_bounded

    def read_to_the_end(worker: Any, *arguments: Any, hard_cap: float = 0.25, **options: Any) -> str:
        if not str(worker.config.get("Runtime", "")).startswith("python"):
            return str(drain(worker, *arguments, hard_cap=hard_cap, **options))
        lines: list[str] = []
        with contextlib.suppress(queue.Empty):
            while not (line := worker._stderr_queue.get(timeout=hard_cap)).endswith(end):
                lines.append(line)
            lines.append(line.removesuffix(end))
        return "\n".join(lines).rstrip("\n")

    lambda_runtime.Worker._drain_stderr_bounded = read_to_the_end


def poll_queues_often() -> None:
    """Look after a queue whose function was throttled ten times a second, not once: people are waiting."""
    lambda_svc._ESM_BACKOFF_SECONDS = POLL_SECONDS
    wake = lambda_svc._esm_wake
    wait = wake.wait
    wake.wait = lambda timeout=None: wait(min(timeout or POLL_SECONDS, POLL_SECONDS))


def write_no_log_group_anew() -> None:
    """A log group that was declared and is gone stays gone: on AWS, no role here may create one."""
    emit = lambda_svc._emit_lambda_logs

    def emit_where_there_is_a_group(func: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        config = func.get("config") or func
        usual = f"/aws/lambda/{config.get('FunctionName')}"  # which Lambda makes where none is declared
        group = (config.get("LoggingConfig") or {}).get("LogGroup", usual)
        if group == usual or group in cloudwatch_logs._log_groups:
            emit(func, *args, **kwargs)

    lambda_svc._emit_lambda_logs = emit_where_there_is_a_group


def cache_at_the_edge() -> None:
    """Put a cache in front of `handle_viewer_request`, keyed and timed by the behaviour's cache policy."""
    forward = cloudfront.handle_viewer_request
    kept_responses = EdgeCache()

    async def handle(
        dist: dict[str, Any],
        method: str,
        path: str,
        raw_uri: str,
        raw_query: str,
        headers: dict[str, Any],
        *rest: Any,
    ) -> Any:
        behaviour = cloudfront._match_behavior(cloudfront.parse_distribution_dataplane_config(dist), path)
        policy_id = (behaviour or {}).get("cache_policy_id")
        policy = cloudfront._cache_policies.get(policy_id) or cloudfront._MANAGED_CACHE_POLICIES.get(
            policy_id
        )
        if policy is None or method not in CACHED_METHODS or asks_for_a_part(headers):
            return await forward(dist, method, path, raw_uri, raw_query, headers, *rest)
        config = policy["Config"]
        key = (dist["Id"], method, raw_uri, varying(config, raw_query, headers))
        if found := kept_responses.get(key):
            (status, kept, body), age = found
            return status, {**kept, "X-Cache": "Hit from cloudfront", "Age": str(age)}, body
        response = await forward(dist, method, path, raw_uri, raw_query, headers, *rest)
        status, kept, _ = response
        times = CachePolicy(*(float(config.get(name, 0)) for name in ("MinTTL", "DefaultTTL", "MaxTTL")))
        lowered = {str(name).lower(): str(value) for name, value in kept.items()}
        kept_responses.put(key, response, seconds_kept(status, lowered, times, _error_seconds(dist)))
        return response

    cloudfront.handle_viewer_request = handle


def _error_seconds(dist: dict[str, Any]) -> dict[int, float]:
    """The distribution's error caching minimum, by status code."""
    found: dict[int, float] = {}
    errors = cloudfront._find(cloudfront._dist_config_el(dist), "CustomErrorResponses")
    items = cloudfront._find(errors, "Items") if errors is not None else None
    for item in items if items is not None else []:
        code, seconds = cloudfront._text(item, "ErrorCode"), cloudfront._text(item, "ErrorCachingMinTTL")
        if code and seconds:
            found[int(code)] = float(seconds)
    return found


def end_with_the_parent() -> None:
    """End the process group when the parent closes the pipe, as it does also by dying."""

    def wait() -> None:
        sys.stdin.buffer.read()
        _end()

    threading.Thread(target=wait, daemon=True, name="parent-watch").start()


def _end(*_: object) -> None:
    workspace = os.environ.get("BLUEPRINT_REMOVE_AT_END")
    if workspace:
        shutil.rmtree(workspace, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Serve until told to stop."""
    own = sorted(provisioners._RESOURCE_HANDLERS)
    stand_ins.provision(provisioners._RESOURCE_HANDLERS)
    ours = {kind: {"by": each.by, "what": each.what} for kind, each in stand_ins.table().items()}
    with open(os.environ["BLUEPRINT_TYPES_FILE"], "w") as file:
        json.dump({"provisioned": own, "stand_ins": ours}, file)
    record_iam_decisions()
    name_schedules_by_their_group()
    tell_concurrency_actions_apart()
    answer_to_aws_names(int(os.environ["GATEWAY_PORT"]))
    fetch_token_keys_by_tls(int(os.environ["GATEWAY_PORT"]))
    send_empty_bodies()
    app._HEALTH_PATHS = (OWN_HEALTH,)  # "/health" belongs to the programs behind load balancers and the edge
    fork_workers()
    mark_the_end_of_a_log()
    write_no_log_group_anew()
    poll_queues_often()
    cache_at_the_edge()
    parts.extend_all()
    app.app = control.in_front_of(app.app)
    app._port_is_bindable = lambda *_: False  # port 443 belongs to the machine, not to a dry run
    if os.environ.get("BLUEPRINT_REMOVE_AT_END"):
        app.signal.signal = _ours_first(app.signal.signal)
    else:
        end_with_the_parent()
    app.main()


def _ours_first(register: Any) -> Any:
    """MiniStack's own SIGTERM handler would leave the kept folder behind."""

    def chosen(number: int, handler: Any) -> Any:
        return register(number, _end if number == signal.SIGTERM else handler)

    return chosen


if __name__ == "__main__":
    main()
