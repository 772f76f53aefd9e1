"""The data plane of load balancers: targets that really answer, real health checks, https, CloudFront.

MiniStack keeps listeners, rules and target groups and carries a request to a target; here

* an instance id or a private IP is where its program really answers (`engines/program.py`);
* a request goes to the healthy targets in turn, and to all of them where none is healthy: the load balancer
  fails open ("Health checks for Application Load Balancer target groups", its User Guide);
* targets are checked with their group's path, interval, thresholds and matcher. A person is waiting, so an
  interval, and the deregistration delay, are a thirtieth of what is declared, an interval at least 0.2 s; a
  check takes at most 2 s. A new target is `initial` until one check has passed, or enough have failed;
* a load balancer is found by its DNS name in every region, and CloudFront reaches it by http and by https.
  Which listener a request meets is told by the port in its Host header, and is the one on port 80 without one.
  No certificate is looked at on the way from CloudFront.

A program has one port here, so the ports of targets and of health checks are not compared with what an
instance or a container publishes. What a Network Load Balancer does with connections is in `network_balancers.py`.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from ministack.core.arn import parse_arn
from ministack.core.responses import StreamingResponse, request_scope
from ministack.services import alb, cloudfront, ec2
from ministack.services.cloudformation import provisioners

from workbench.offline.engines.program import address_of
from workbench.offline.surroundings import LOOPBACK

FASTER = 30.0
SHORTEST_INTERVAL = 0.2
LONGEST_CHECK = 2.0
_LOOK_EVERY = 0.05
_CHECKED_KINDS = ("instance", "ip")
# Targets of a network load balancer, if nothing else is said ("CreateTargetGroup", Elastic Load Balancing API).
_CHECKED_BY_CONNECTING = ("TCP", "TLS")

Address = tuple[str, int]

_DESCRIPTIONS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.HealthCheckDisabled": "Health checks are disabled for this target group",
}


@dataclass
class Health:
    """What the checks of one target have found. `since` and `due` are on the monotonic clock."""

    state: str = "initial"
    reason: str = "Elb.InitialHealthChecking"
    description: str = _DESCRIPTIONS["Elb.InitialHealthChecking"]
    since: float = field(default_factory=time.monotonic)
    passed: int = 0
    failed: int = 0
    due: float = 0.0
    checking: bool = False

    def become(self, state: str, reason: str = "", description: str = "") -> None:
        if state != self.state:
            self.since = time.monotonic()
        self.state, self.reason = state, reason
        self.description = description or _DESCRIPTIONS.get(reason, "")

    def record(self, group: dict[str, Any], failure: tuple[str, str] | None) -> None:
        """Count one check, which failed for `failure` (reason, description) or passed."""
        if failure is None:
            self.passed, self.failed = self.passed + 1, 0
            if self.state == "initial" or self.passed >= group["HealthyThresholdCount"]:
                self.become("healthy")
            return
        self.passed, self.failed = 0, self.failed + 1
        if self.state == "unhealthy" or self.failed >= group["UnhealthyThresholdCount"]:
            self.become("unhealthy", *failure)


_healths: dict[tuple[str, str], Health] = {}  # by target group and target id
_turns: dict[str, Iterator[int]] = {}  # by target group
_log = logging.getLogger("programs")
_lock = threading.RLock()
_checkers = ThreadPoolExecutor(16, "target-health")


def extend() -> None:
    """Replace how MiniStack finds load balancers, chooses targets and tells their health."""
    dispatch = alb.dispatch_request

    async def dispatch_in_region(balancer: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        arn = parse_arn(balancer["LoadBalancerArn"])
        with request_scope(arn.account_id, arn.region):
            return await dispatch(balancer, *arguments, **options)

    alb.dispatch_request = dispatch_in_region
    alb.find_lb_for_host = load_balancer_named
    alb._forward_to_tg = _forward_in_turn(alb._forward_to_tg)
    alb._ACTION_MAP["DescribeTargetHealth"] = _describe_target_health
    alb._ACTION_MAP["CreateTargetGroup"] = _with_usual_checks(alb._ACTION_MAP["CreateTargetGroup"])
    cloudfront._fetch_from_alb_origin = _fetch_for_cloudfront
    group = provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::TargetGroup"]
    group["create"] = _with_declared_targets(group["create"])
    threading.Thread(target=_check_for_ever, daemon=True, name="target-health").start()


def health_of(group_arn: str, target: str) -> Health | None:
    """The health of a target by its id (instance or address); None when it is not registered."""
    return _healths.get((group_arn, target))


def register(group_arn: str, target: str) -> None:
    """Register an instance or an address, on the port of the group."""
    alb._register_targets({"TargetGroupArn": [group_arn], "Targets.member.1.Id": [target]})


def deregister(group_arn: str, target: str) -> None:
    """Take a target out: it drains."""
    alb._deregister_targets({"TargetGroupArn": [group_arn], "Targets.member.1.Id": [target]})


# Where requests go.


def load_balancer_named(host: str) -> dict[str, Any] | None:
    """The load balancer that has this DNS name, with or without a port; None where there is none."""
    name = host.partition(":")[0].lower()
    for _, balancer in alb._lbs.all_items():
        if name == balancer["DNSName"].lower():
            found: dict[str, Any] = balancer
            return found
    return None


def _forward_in_turn(forward: Any) -> Any:
    async def to_a_target(
        group_arn: str,
        method: str,
        path: str,
        headers: dict[str, Any],
        body: Any,
        parameters: Any,
        query: str | None = None,
        raw_path: str | None = None,
    ) -> Any:
        group = alb._tgs.get(group_arn)
        targets = alb._targets.get(group_arn, [])
        if group is None or not targets or group["TargetType"] not in _CHECKED_KINDS:
            return await forward(group_arn, method, path, headers, body, parameters, query, raw_path)
        target = next_target(group, targets)
        address = address_in(group, target)
        if address is None:
            return 502, {"Content-Type": "text/html"}, b"<html><body>502 Bad Gateway</body></html>"
        host, port = address
        return await alb._proxy_http_target(
            {"Id": host, "Port": port}, group, method, raw_path or path, headers, body, parameters, query
        )

    return to_a_target


def next_target(group: dict[str, Any], targets: list[dict[str, Any]]) -> dict[str, Any]:
    """Of these targets of a group whose turn it is: of the healthy ones, and of all where none is."""
    arn = group["TargetGroupArn"]
    _follow(group)
    # One that has just come or gone is not among them yet, or no more: others register and drain meanwhile.
    known = [(each, health_of(arn, each["Id"])) for each in targets]
    healthy = [each for each, health in known if health is not None and health.state == "healthy"]
    candidates = healthy or targets
    with _lock:
        turn = next(_turns.setdefault(arn, itertools.count()))
    return candidates[turn % len(candidates)]


def address_in(group: dict[str, Any], target: dict[str, Any]) -> Address | None:
    """Where a target of the group answers. Called in the scope of its group's region."""
    private_ip = str(target["Id"])
    if private_ip.startswith("i-"):
        private_ip = str(ec2._instances.get(private_ip, {}).get("PrivateIpAddress", ""))
    if private_ip == LOOPBACK:
        return LOOPBACK, int(target.get("Port") or group["Port"])
    return address_of(private_ip)


async def _fetch_for_cloudfront(
    balancer: dict[str, Any],
    origin: dict[str, Any],
    method: str,
    uri: str,
    query: str,
    headers: dict[str, Any],
    body: bytes,
    viewer_is_https: bool,
    client_ip: str,
    forwarded_for: str,
) -> Any:
    """Status, reason, headers and body of the load balancer as an origin, by http or https.

    Raises CloudFront's `OriginUnreachable` where no listener has the origin's protocol and port, and
    `OriginTimeout`.
    """
    _, port, by_https = cloudfront._origin_connect_target(origin, viewer_is_https)
    protocols = ("HTTPS", "TLS") if by_https else ("HTTP", "TCP")
    if not any(
        listener["LoadBalancerArn"] == balancer["LoadBalancerArn"]
        and listener["Port"] == port
        and listener["Protocol"] in protocols
        for _, listener in alb._listeners.all_items()
    ):
        wanted = " or ".join(protocols)
        raise cloudfront.OriginUnreachable(f"{balancer['DNSName']} has no {wanted} listener on port {port}")
    sent = cloudfront._origin_request_headers(origin, headers, client_ip, forwarded_for)
    lowered = {name.lower(): value for name, value in sent.items()}
    parameters = parse_qs(query, keep_blank_values=True)
    seconds = float(origin.get("read_timeout", 30))
    try:
        async with asyncio.timeout(seconds):
            status, answered, content = await alb.dispatch_request(
                balancer, method, uri, lowered, body or b"", parameters, port, raw_query_string=query
            )
    except TimeoutError:
        raise cloudfront.OriginTimeout(f"{balancer['DNSName']} did not answer within {seconds} s") from None
    if isinstance(content, StreamingResponse):
        content = await cloudfront._collect_streaming_body(content, seconds)
    pairs = [
        (name, each)
        for name, value in answered.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return status, http.client.responses.get(status, ""), pairs, content


# Health.


def _check_for_ever() -> None:
    while True:
        for (account, region, _), group in alb._tgs.all_items():
            with request_scope(account, region):
                try:
                    _start_due_checks(group)
                except Exception as problem:  # of one group; the others are checked
                    _log.warning("the health checks of %s: %s", group["TargetGroupName"], problem)
        _forget_groups_that_are_gone()
        time.sleep(_LOOK_EVERY)


def _start_due_checks(group: dict[str, Any]) -> None:
    _follow(group)
    if not _is_checked(group):
        return
    now = time.monotonic()
    for target in list(alb._targets.get(group["TargetGroupArn"], [])):
        health = _healths.get((group["TargetGroupArn"], target["Id"]))
        if health is None or health.checking or health.due > now or health.state == "unused":
            continue
        health.checking = True
        health.due = now + max(group["HealthCheckIntervalSeconds"] / FASTER, SHORTEST_INTERVAL)
        _checkers.submit(_check, group, address_in(group, target), health)


def _is_checked(group: dict[str, Any]) -> bool:
    return bool(group["HealthCheckEnabled"]) and group["TargetType"] in _CHECKED_KINDS


def _follow(group: dict[str, Any]) -> None:
    """Begin to know the targets that were registered since, and let those drain that no longer are."""
    arn = group["TargetGroupArn"]
    registered = {target["Id"] for target in alb._targets.get(arn, [])}
    used = _is_used(arn)
    with _lock:
        for target in registered:
            health = _healths.setdefault((arn, target), Health())
            if not used:
                health.become("unused", "Target.NotInUse")
            elif not _is_checked(group):
                health.become("unavailable", "Target.HealthCheckDisabled")
            elif health.state in ("unused", "unavailable", "draining"):
                _healths[arn, target] = Health()
        for (group_arn, target), health in list(_healths.items()):
            if group_arn == arn and target not in registered:
                _drain(group_arn, target, health)


def _drain(group_arn: str, target: str, health: Health) -> None:
    if health.state != "draining":
        health.become("draining", "Target.DeregistrationInProgress")
    attributes = {each["Key"]: each["Value"] for each in alb._tg_attrs.get(group_arn, [])}
    delay = float(attributes.get("deregistration_delay.timeout_seconds", 300)) / FASTER
    if time.monotonic() - health.since >= delay:
        del _healths[group_arn, target]


def _is_used(group_arn: str) -> bool:
    """Whether a rule of a listener forwards to the group; a listener's default actions are a rule, too."""
    return any(
        action.get("TargetGroupArn") == group_arn
        for rule in alb._rules.values()
        for action in rule["Actions"]
    )


def _forget_groups_that_are_gone() -> None:
    there = {arn for (_, _, arn), _ in alb._tgs.all_items()}
    with _lock:
        for key in [key for key in _healths if key[0] not in there]:
            del _healths[key]
            _turns.pop(key[0], None)


def _check(group: dict[str, Any], address: Address | None, health: Health) -> None:
    try:
        failure = _failure(group, address)
        with _lock:
            if health.state != "draining":
                health.record(group, failure)
    except Exception as problem:  # else the executor would keep it to itself
        _log.warning("a health check of %s: %s", group["TargetGroupName"], problem)
    finally:
        health.checking = False


def _failure(group: dict[str, Any], address: Address | None) -> tuple[str, str] | None:
    """Why a health check does not pass, as a reason and its description; None when it does."""
    if address is None:
        return "Target.FailedHealthChecks", ""
    timeout = min(float(group["HealthCheckTimeoutSeconds"]), LONGEST_CHECK)
    if group["HealthCheckProtocol"] == "TCP":
        return _failure_to_connect(address, timeout)
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.request("GET", group["HealthCheckPath"], headers={"User-Agent": "ELB-HealthChecker/2.0"})
        status = connection.getresponse().status
    except TimeoutError:
        return "Target.Timeout", ""
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks", ""
    finally:
        connection.close()
    if not matches(status, group["Matcher"]["HttpCode"]):
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"
    return None


def _failure_to_connect(address: Address, timeout: float) -> tuple[str, str] | None:
    try:
        socket.create_connection(address, timeout).close()
    except TimeoutError:
        return "Target.Timeout", ""
    except OSError:
        return "Target.FailedHealthChecks", ""
    return None


def matches(status: int, matcher: str) -> bool:
    """Whether a status is one of the matcher's codes: "200", "200,202" or "200-299"."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def _describe_target_health(parameters: dict[str, Any]) -> Any:
    arn = alb._p(parameters, "TargetGroupArn")
    group = alb._tgs.get(arn)
    if group is None:
        return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
    _follow(group)
    asked = {target["Id"] for target in alb._parse_targets_param(parameters)}
    ports = {target["Id"]: target.get("Port", group["Port"]) for target in alb._targets.get(arn, [])}
    with _lock:
        known = {target: health for (group_arn, target), health in _healths.items() if group_arn == arn}
    members = "".join(
        _description(target, ports.get(target, group["Port"]), health)
        for target, health in known.items()
        if not asked or target in asked
    )
    members += "".join(
        _description(
            target, group["Port"], Health("unused", "Target.NotRegistered", "Target is not registered")
        )
        for target in sorted(asked - known.keys())
    )
    return alb._xml(
        200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
    )


def _description(target: str, port: int, health: Health) -> str:
    told = {"State": health.state, "Reason": health.reason, "Description": health.description}
    fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in told.items() if value)
    return (
        f"<member><Target><Id>{escape(target)}</Id><Port>{port}</Port></Target>"
        f"<HealthCheckPort>{port}</HealthCheckPort><TargetHealth>{fields}</TargetHealth></member>"
    )


def _with_usual_checks(create: Any) -> Any:
    def create_group(parameters: dict[str, Any]) -> Any:
        if alb._p(parameters, "Protocol") in _CHECKED_BY_CONNECTING:
            usual = {"HealthCheckProtocol": ["TCP"], "Matcher.HttpCode": ["200-399"]}
            parameters = usual | parameters
        return create(parameters)

    return create_group


def _with_declared_targets(create: Any) -> Any:
    def create_group(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if properties.get("Protocol") in (
            "TCP",
            "TLS",
        ):  # how a network load balancer checks, if nothing is said
            properties = {"HealthCheckProtocol": "TCP", "Matcher": {"HttpCode": "200-399"}} | properties
        arn, attributes = create(logical_id, properties, stack)
        for target in properties.get("Targets") or []:
            known = {"Id": target["Id"]}
            if target.get("Port"):
                known["Port"] = int(target["Port"])
            alb._targets[arn].append(known)
        return arn, attributes

    return create_group
