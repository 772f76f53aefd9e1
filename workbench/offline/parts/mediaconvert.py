"""AWS Elemental MediaConvert, which MiniStack lacks: its REST API here, its jobs in `media_jobs.py`, by ffmpeg.

IAM is asked as for every other call, by the resources of the Service Authorization Reference ("Actions, resources,
and condition keys for AWS Elemental MediaConvert"); the caller of CreateJob must be allowed to pass the job's role.

Offered: jobs, queues, job templates, presets, endpoints. Not offered, and refused: tags, policies, certificates,
probing, versions, queries of jobs, reserved queues, queue hopping, acceleration. There are no system presets.
Which settings of a job are understood, `media_settings.py` says; all others are refused when the job is created.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import ministack.app as app
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region, request_scope

from workbench.errors import Misuse
from workbench.offline.engines import ffmpeg
from workbench.offline.media_jobs import SERVICE, Job, Scheduler
from workbench.offline.media_settings import InvalidSettings, in_camel_case, merged, plan_of
from workbench.offline.parts import Answer
from workbench.offline.surroundings import surroundings

Record = dict[str, Any]

NAME = "mediaconvert"
PREFIX = "/2017-08-29/"
DEFAULT_QUEUE = "Default"
_TOKEN_SECONDS = 60.0  # for which a request with the same token is the same request
_MOST = 20  # of a list in one answer
_ROLE = re.compile(r"^arn:aws[\w-]*:iam::\d{12}:role/.+$")
_INTERVAL = re.compile(r"^SECONDS_(\d+)$")
_KEPT_OF_A_JOB = ("billingTagsSource", "jobTemplate", "priority", "statusUpdateInterval", "userMetadata")
_KEPT_OF_A_TEMPLATE = ("category", "description", "priority", "queue", "settings", "statusUpdateInterval")
_RESOURCE = re.compile(r"^/2017-08-29/(jobs|queues|jobTemplates|presets)/([^/]+)$")

_jobs: Any = AccountRegionScopedDict()
_queues: Any = AccountRegionScopedDict()
_templates: Any = AccountRegionScopedDict()
_presets: Any = AccountRegionScopedDict()
_tokens: Any = AccountRegionScopedDict()


class Refusal(Exception):
    """The API refuses; `code` is the error's name."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Request:
    """A call: its body, the parameters of its query, the last part of its path, and the caller's access key."""

    body: Record
    query: Mapping[str, str]
    name: str
    access_key: str


def extend() -> None:
    """Make the service known to MiniStack: how it is routed, authorized and answered."""
    router.SERVICE_PATTERNS[NAME] = {"host_patterns": [r"mediaconvert\."], "credential_scope": NAME}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[NAME] = NAME
    iam_actions._BOTOCORE_SERVICE_MAP[NAME] = [NAME]
    iam_actions.extract_resource_arn = _with_resources(iam_actions.extract_resource_arn)
    app.SERVICE_HANDLERS[NAME] = _handle


def create_queue(body: Record) -> Record:
    """CreateQueue; the record of the queue. Raises `Refusal`."""
    name = _needed(body, "name")
    if name == DEFAULT_QUEUE or name in _queues:
        raise Refusal(409, "ConflictException", f"Queue {name} already exists")
    if body.get("pricingPlan", "ON_DEMAND") != "ON_DEMAND":
        raise _bad("/pricingPlan: the offline AWS has no reserved queues")
    now = int(time.time())
    _queues[name] = {
        "arn": _arn("queues", name),
        "name": name,
        "type": "CUSTOM",
        "status": body.get("status") or "ACTIVE",
        "pricingPlan": "ON_DEMAND",
        "description": body.get("description") or "",
        "createdAt": now,
        "lastUpdated": now,
    }
    return _queue(name)


def update_queue(name: str, body: Record) -> Record:
    """UpdateQueue: its description, and whether it is paused. Raises `Refusal`."""
    _queue(name)
    changed = {key: body[key] for key in ("description", "status") if body.get(key) is not None}
    _queues[name] = {**_queue_record(name), **changed, "lastUpdated": int(time.time())}
    _scheduler.start_next()
    return _queue(name)


def delete_queue(name: str) -> None:
    """DeleteQueue. Raises `Refusal`, also while jobs are in it."""
    queue = _queue(name)
    if name == DEFAULT_QUEUE or queue["submittedJobsCount"] or queue["progressingJobsCount"]:
        raise Refusal(409, "ConflictException", f"Queue {name} is the default one, or holds jobs")
    del _queues[name]


def create_template(body: Record) -> Record:
    """CreateJobTemplate; the record of the template. Raises `Refusal`."""
    return _create(_templates, "jobTemplates", body, _KEPT_OF_A_TEMPLATE)


def update_template(name: str, body: Record) -> Record:
    """UpdateJobTemplate. Raises `Refusal`."""
    return _update(_templates, "Job template", name, body, _KEPT_OF_A_TEMPLATE)


def delete_template(name: str) -> None:
    """DeleteJobTemplate. Raises `Refusal`."""
    _found(_templates, "Job template", name)
    del _templates[name]


def create_preset(body: Record) -> Record:
    """CreatePreset; the record of the preset. Raises `Refusal`."""
    return _create(_presets, "presets", body, ("category", "description", "settings"))


def update_preset(name: str, body: Record) -> Record:
    """UpdatePreset. Raises `Refusal`."""
    return _update(_presets, "Preset", name, body, ("category", "description", "settings"))


def delete_preset(name: str) -> None:
    """DeletePreset. Raises `Refusal`."""
    _found(_presets, "Preset", name)
    del _presets[name]


def is_paused(job: Job) -> bool:
    """Whether the job's queue lets no job start."""
    with request_scope(job.account, job.region):
        return bool(_queue_record(_last_part(job.queue)).get("status") == "PAUSED")


_scheduler = Scheduler(is_paused)


# The operations.


def _create_job(request: Request) -> Record:
    body = request.body
    role = _needed(body, "role")
    if not _ROLE.match(role):
        raise _bad("/role: should match the ARN of an IAM role")
    _check_passing(request.access_key, role)
    token = str(body.get("clientRequestToken") or uuid.uuid4())
    known = _tokens.get(token)
    if known is not None and time.time() - known.submitted < _TOKEN_SECONDS:
        return {"job": known.as_answer()}
    job = _new_job(body, role)
    _jobs[job.id] = _tokens[token] = job
    answer = job.as_answer()
    _scheduler.submit(job)
    return {"job": answer}


def _new_job(body: Record, role: str) -> Job:
    for name in ("accelerationSettings", "hopDestinations", "jobEngineVersion", "simulateReservedQueue"):
        # Acceleration that is preferred is none where there is none.
        if body.get(name) not in (None, [], {}, "DISABLED", {"mode": "DISABLED"}, {"mode": "PREFERRED"}):
            raise _bad(f"/{name}: the offline AWS does not support this setting")
    named = body.get("jobTemplate")
    template: Record = _found(_templates, "Job template", _last_part(named)) if named else {}
    whole = {
        **{name: template[name] for name in _KEPT_OF_A_TEMPLATE if template.get(name) is not None},
        **body,
    }
    settings = merged(template.get("settings") or {}, body.get("settings") or {})
    try:
        ffmpeg.executable()
        plan = plan_of(settings, {name: preset["settings"] for name, preset in _presets.items()})
    except (InvalidSettings, Misuse) as problem:
        raise _bad(str(problem)) from None
    asked = {name: whole[name] for name in _KEPT_OF_A_JOB if whole.get(name) is not None}
    return Job(
        account=get_account_id(),
        region=get_region(),
        queue=_queue(_last_part(whole.get("queue") or DEFAULT_QUEUE))["arn"],
        role=role,
        plan=plan,
        asked={"priority": 0, "userMetadata": {}, **asked, "settings": settings},
        interval=_interval(whole.get("statusUpdateInterval")),
    )


def _check_passing(access_key: str, role: str) -> None:
    """Whether the caller may hand the role to MediaConvert, as IAM has it."""
    context = {"iam:PassedToService": SERVICE}
    denied = iam_evaluator.enforce(access_key, "iam:PassRole", "iam", get_region(), role, context)
    if denied is not None:
        caller = getattr(denied, "principal_arn", "anonymous")
        explicit = getattr(denied, "decision", "") == "Deny"
        words = iam_actions.identity_denial_message("iam:PassRole", caller, role, explicit)
        raise Refusal(403, "AccessDeniedException", words)


def _interval(said: str | None) -> float:
    found = _INTERVAL.match(said or "SECONDS_60")
    if found is None:
        raise _bad(f"/statusUpdateInterval: should be SECONDS_10 to SECONDS_600; got {said}")
    return float(found[1])


def _get_job(request: Request) -> Record:
    return {"job": _found(_jobs, "Job", request.name).as_answer()}


def _list_jobs(request: Request) -> Record:
    status, queue = request.query.get("status"), request.query.get("queue")
    found = [
        job
        for job in _jobs.values()
        if status in (None, job.status) and (queue is None or _last_part(queue) == _last_part(job.queue))
    ]
    newest_first = request.query.get("order") != "ASCENDING"
    found.sort(key=lambda job: (job.submitted, job.id), reverse=newest_first)
    return _page("jobs", [job.as_answer() for job in found], request)


def _cancel_job(request: Request) -> Record:
    job = _found(_jobs, "Job", request.name)
    if not _scheduler.cancel(job):
        raise Refusal(409, "ConflictException", f"Job {job.id} is over: its status is {job.status}")
    return {}


def _list_queues(request: Request) -> Record:
    return _page("queues", [_queue(name) for name in (DEFAULT_QUEUE, *_custom_queues())], request)


def _custom_queues() -> list[str]:
    return [name for name in _queues if name != DEFAULT_QUEUE]


def _describe_endpoints(_request: Request) -> Record:
    return {"endpoints": [{"url": surroundings().url}]}


def _nothing(act: Callable[[str], None]) -> Callable[[Request], Record]:
    """An operation that takes the name, and answers with nothing."""

    def carry_out(request: Request) -> Record:
        act(request.name)
        return {}

    return carry_out


_OPERATIONS: dict[tuple[str, str], tuple[int, Callable[[Request], Record]]] = {
    ("POST", "jobs"): (201, _create_job),
    ("GET", "jobs"): (200, _list_jobs),
    ("GET", "jobs/"): (200, _get_job),
    ("DELETE", "jobs/"): (202, _cancel_job),
    ("POST", "queues"): (201, lambda request: {"queue": create_queue(request.body)}),
    ("GET", "queues"): (200, _list_queues),
    ("GET", "queues/"): (200, lambda request: {"queue": _queue(request.name)}),
    ("PUT", "queues/"): (200, lambda request: {"queue": update_queue(request.name, request.body)}),
    ("DELETE", "queues/"): (202, _nothing(delete_queue)),
    ("POST", "jobTemplates"): (201, lambda request: {"jobTemplate": create_template(request.body)}),
    ("GET", "jobTemplates"): (
        200,
        lambda request: _page("jobTemplates", list(_templates.values()), request),
    ),
    ("GET", "jobTemplates/"): (
        200,
        lambda request: {"jobTemplate": _found(_templates, "Job template", request.name)},
    ),
    ("PUT", "jobTemplates/"): (
        200,
        lambda request: {"jobTemplate": update_template(request.name, request.body)},
    ),
    ("DELETE", "jobTemplates/"): (202, _nothing(delete_template)),
    ("POST", "presets"): (201, lambda request: {"preset": create_preset(request.body)}),
    ("GET", "presets"): (200, lambda request: _page("presets", list(_presets.values()), request)),
    ("GET", "presets/"): (200, lambda request: {"preset": _found(_presets, "Preset", request.name)}),
    ("PUT", "presets/"): (200, lambda request: {"preset": update_preset(request.name, request.body)}),
    ("DELETE", "presets/"): (202, _nothing(delete_preset)),
    ("POST", "endpoints"): (200, _describe_endpoints),
}


# How requests come and go.


async def _handle(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> Answer:
    """As MiniStack calls the handler of a service; it has asked IAM before."""
    return await asyncio.to_thread(_answer, method, path, headers, body, query)


def _answer(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> Answer:
    kind, slash, name = path.removeprefix(PREFIX).partition("/")
    try:
        if (method, kind + slash) not in _OPERATIONS or not path.startswith(PREFIX):
            raise Refusal(501, "NotImplementedException", f"the offline AWS does not offer {method} {path}")
        status, operation = _OPERATIONS[method, kind + slash]
        single = {key: values[0] for key, values in query.items()}
        access_key = str(router.extract_access_key_id(headers, query))
        answer = operation(Request(_parsed(body), single, unquote(name), access_key))
    except Refusal as refusal:
        said = json.dumps({"message": str(refusal)}).encode()
        return refusal.status, {"Content-Type": "application/json", "x-amzn-ErrorType": refusal.code}, said
    return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def _parsed(body: bytes) -> Record:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        raise _bad("the body should be JSON") from None
    if not isinstance(document, dict):
        raise _bad("the body should be an object")
    return document


def _with_resources(extract: Any) -> Any:
    """MiniStack's `extract_resource_arn`, which also knows the resources of MediaConvert's calls."""

    def extract_with_ours(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes,
        query: Any,
        region: str,
        account: str,
    ) -> str:
        if service != NAME:
            return str(extract(service, method, path, headers, body, query, region, account))
        if found := _RESOURCE.match(path):
            return f"arn:aws:mediaconvert:{region}:{account}:{found[1]}/{unquote(found[2])}"
        if (method, path) == ("POST", f"{PREFIX}jobs"):
            queue = re.search(rb'"queue"\s*:\s*"([^"]+)"', body)
            name = _last_part(queue[1].decode()) if queue else DEFAULT_QUEUE
            return f"arn:aws:mediaconvert:{region}:{account}:queues/{name}"
        return "*"

    return extract_with_ours


# The records.


def _queue_record(name: str) -> Record:
    """A queue as it is kept; the default one is there without being made."""
    if name in _queues:
        return dict(_queues[name])
    if name != DEFAULT_QUEUE:
        return {}
    made = {"name": name, "type": "SYSTEM", "status": "ACTIVE", "pricingPlan": "ON_DEMAND"}
    return {**made, "arn": _arn("queues", name), "description": "", "createdAt": 0, "lastUpdated": 0}


def _queue(name: str) -> Record:
    """A queue as it is shown, with how many jobs are in it. Raises `Refusal`."""
    record = _queue_record(name)
    if not record:
        raise Refusal(404, "NotFoundException", f"Queue {name} not found")
    statuses = [job.status for job in _jobs.values() if _last_part(job.queue) == name]
    counts = {"submittedJobsCount": "SUBMITTED", "progressingJobsCount": "PROGRESSING"}
    return record | {key: statuses.count(status) for key, status in counts.items()}


def _create(store: Any, kind: str, body: Record, kept: tuple[str, ...]) -> Record:
    name = _needed(body, "name")
    if name in store:
        raise Refusal(409, "ConflictException", f"{name} already exists")
    _needed(body, "settings")
    now = int(time.time())
    said = {key: body[key] for key in kept if body.get(key) is not None}
    store[name] = {
        "arn": _arn(kind, name),
        "name": name,
        "type": "CUSTOM",
        "createdAt": now,
        "lastUpdated": now,
    }
    store[name] |= said | {"settings": in_camel_case(said["settings"])}
    return dict(store[name])


def _update(store: Any, kind: str, name: str, body: Record, kept: tuple[str, ...]) -> Record:
    record = _found(store, kind, name)
    said = {key: body[key] for key in kept if body.get(key) is not None}
    if "settings" in said:
        said["settings"] = in_camel_case(said["settings"])
    store[name] = {**record, **said, "lastUpdated": int(time.time())}
    return dict(store[name])


def _found(store: Any, kind: str, name: str) -> Any:
    if name not in store:
        raise Refusal(404, "NotFoundException", f"{kind} {name} not found")
    return store[name]


def _page(key: str, everything: list[Any], request: Request) -> Record:
    start = int(request.query.get("nextToken") or 0)
    end = start + min(int(request.query.get("maxResults") or _MOST), _MOST)
    page: Record = {key: everything[start:end]}
    return page | ({"nextToken": str(end)} if end < len(everything) else {})


def _needed(body: Record, name: str) -> Any:
    if not body.get(name):
        raise _bad(f"/: should have required property '{name}'")
    return body[name]


def _bad(words: str) -> Refusal:
    return Refusal(400, "BadRequestException", words)


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:mediaconvert:{get_region()}:{get_account_id()}:{kind}/{name}"


def _last_part(arn_or_name: str) -> str:
    return arn_or_name.rpartition("/")[2]
