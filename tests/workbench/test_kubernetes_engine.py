"""An EKS cluster on the offline AWS: its API server, who may do what there, and pods that really run."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from botocore.exceptions import ClientError
from botocore.session import get_session

from lambdas.shared.kubernetes import Kubernetes, KubernetesError, token
from tests.offline import deployed, eventually, is_open, session_keys, update_stack
from tests.templates import ANYBODY, allow, get_att, policy, ref, resource, template
from workbench.dryrun.control import CommandRefused, Control
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http, Response
from workbench.offline import images
from workbench.offline.engines import free_port, kubernetes_ingress, kubernetes_pods, program
from workbench.offline.engines.kubernetes_nodes import Node
from workbench.offline.engines.kubernetes_objects import Objects
from workbench.offline.engines.kubernetes_pods import Pod, pre_stop_seconds

FOLDER = Path(__file__).parent / "pods"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
REGION, VERSION = "us-east-1", "1.35"
POLICIES = "arn:aws:eks::aws:cluster-access-policy/AmazonEKS"

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Iterator[dict[str, str]]:
    """A cluster with a node in each of three zones, five roles, and an image: the stack's outputs."""
    with deployed(emulator.endpoint, "eks", template(_resources(), _OUTPUTS)) as outputs:
        yield outputs


@pytest.fixture(scope="module")
def admin(emulator: Emulator, stack: dict[str, str]) -> Kubernetes:
    return _client(emulator, stack, stack["Admin"])


@pytest.fixture(scope="module")
def shop(admin: Kubernetes, stack: dict[str, str], http: Http) -> dict[str, str]:
    """The namespace `shop` with a web of two pods behind an Ingress: the Ingress's host."""
    for manifest in (*_web("shop", stack["Image"]), *_way_in("shop")):
        admin.apply(manifest)
    eventually(lambda: _ready(admin, "shop") == 2, "two ready pods")
    host = eventually(lambda: _host(admin, "shop"), "the Ingress's load balancer")
    eventually(lambda: len(_answering(http, host)) == 2, "answers of both pods through the load balancer")
    return {"host": host}


# The cluster in the EKS API and in CloudFormation.


def test_the_template_and_the_eks_api_agree_on_what_the_cluster_is(
    emulator: Emulator, stack: dict[str, str]
) -> None:
    found = emulator.endpoint.client("eks").describe_cluster(name=stack["Cluster"])["cluster"]
    assert found["status"] == "ACTIVE"
    assert found["endpoint"] == stack["Endpoint"]
    assert found["endpoint"].startswith("https://127.0.0.1:")
    assert found["certificateAuthority"]["data"] == stack["Authority"]
    assert (found["arn"], found["version"]) == (stack["Arn"], VERSION)
    assert found["identity"]["oidc"]["issuer"] == stack["Issuer"]
    assert found["kubernetesNetworkConfig"]["elasticLoadBalancing"] == {"enabled": True}
    assert found["resourcesVpcConfig"]["vpcId"] == stack["Vpc"]
    assert found["resourcesVpcConfig"]["clusterSecurityGroupId"] == stack["Group"]
    groups = emulator.endpoint.client("ec2").describe_security_groups(GroupIds=[stack["Group"]])
    assert groups["SecurityGroups"][0]["VpcId"] == stack["Vpc"]


def test_access_entries_pod_identities_and_addons_are_in_the_eks_api(
    emulator: Emulator, stack: dict[str, str]
) -> None:
    eks, cluster = emulator.endpoint.client("eks"), stack["Cluster"]
    held = eks.list_associated_access_policies(clusterName=cluster, principalArn=stack["Viewer"])
    [policy] = held["associatedAccessPolicies"]
    assert policy["policyArn"] == f"{POLICIES}ViewPolicy"
    assert policy["accessScope"] == {"type": "namespace", "namespaces": ["shop"]}
    [association] = eks.list_pod_identity_associations(clusterName=cluster)["associations"]
    assert (association["namespace"], association["serviceAccount"]) == ("shop", "web")
    assert association["associationArn"] == stack["Identity"]
    assert eks.describe_addon(clusterName=cluster, addonName="coredns")["addon"]["addonArn"] == stack["Addon"]


def test_a_version_without_schemas_is_refused_with_those_that_there_are(
    emulator: Emulator, stack: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match=r"no schemas of Kubernetes 1\.20; .*1\.33"):
        emulator.endpoint.client("eks").create_cluster(
            name="old", version="1.20", roleArn=stack["Admin"], resourcesVpcConfig={}
        )


def test_a_pod_identity_needs_a_role_that_trusts_pods(emulator: Emulator, stack: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="Trust policy of the role provided is invalid"):
        emulator.endpoint.client("eks").create_pod_identity_association(
            clusterName=stack["Cluster"], namespace="shop", serviceAccount="other", roleArn=stack["Admin"]
        )


def test_access_entries_need_an_authentication_mode_that_has_them(
    emulator: Emulator, stack: dict[str, str]
) -> None:
    eks = emulator.endpoint.client("eks")
    eks.create_cluster(name="config-map", version=VERSION, roleArn=stack["Admin"], resourcesVpcConfig={})
    try:
        with pytest.raises(ClientError, match="authentication mode must be set to one of"):
            eks.create_access_entry(clusterName="config-map", principalArn=stack["Viewer"])
    finally:
        eks.delete_cluster(name="config-map")


def test_clusters_of_one_name_in_two_regions_are_two(
    emulator: Emulator, control: Control, stack: dict[str, str]
) -> None:
    here, there = (emulator.endpoint.client("eks", region) for region in ("us-east-1", "eu-west-1"))
    request = {"version": VERSION, "roleArn": stack["Admin"], "resourcesVpcConfig": {}}
    ends = [each.create_cluster(name="twin", **request)["cluster"]["endpoint"] for each in (here, there)]
    try:
        assert {"twin", "twin.eu-west-1"} <= control.call("kubernetes/list").keys()
        here.delete_cluster(name="twin")
        assert [is_open(str(urlsplit(each).port)) for each in ends] == [False, True]
    finally:
        there.delete_cluster(name="twin")
    assert not is_open(str(urlsplit(ends[1]).port))


def test_a_load_balancer_whose_listener_was_refused_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(kubernetes_ingress, "_call", lambda action, **_: asked.append(action))
    balancer = kubernetes_ingress.Balancer("arn", "host")
    kubernetes_ingress.Ingresses("c", "0", "us-east-1", Objects(VERSION))._take_away(balancer)
    assert asked == ["DeleteLoadBalancer"]


# Who may do what at the API server.


def test_without_a_token_there_is_no_answer_and_a_forged_one_is_none(
    emulator: Emulator, stack: dict[str, str]
) -> None:
    valid = _token(emulator, stack["Cluster"], stack["Admin"])
    for bad in ("", "k8s-aws-v1.x", valid[:-8] + "AAAAAAAA", valid.removeprefix("k8s-aws-v1.")):
        assert _refused(_with(stack, bad).read, _namespace("default")).status == 401


def test_a_token_for_another_cluster_opens_nothing(emulator: Emulator, stack: dict[str, str]) -> None:
    other = _with(stack, _token(emulator, "other", stack["Admin"]))
    assert _refused(other.read, _namespace("default")).status == 401


def test_a_role_without_an_access_entry_is_nobody(emulator: Emulator, stack: dict[str, str]) -> None:
    assert _refused(_client(emulator, stack, stack["Stranger"]).read, _namespace("default")).status == 401


def test_the_creator_of_the_cluster_is_its_administrator(emulator: Emulator, stack: dict[str, str]) -> None:
    creator = _with(stack, _token(emulator, stack["Cluster"], None))
    assert creator.read(_namespace("kube-system"))["status"]["phase"] == "Active"


def test_the_view_policy_reads_in_its_namespaces_and_no_secrets(
    emulator: Emulator, stack: dict[str, str], shop: dict[str, str]
) -> None:
    viewer = _client(emulator, stack, stack["Viewer"])
    assert viewer.read(_deployment("shop", ""))["metadata"]["name"] == "web"
    for refused in (_secret("shop"), _deployment("default", "")):
        error = _refused(viewer.read, refused)
        assert (error.status, "cannot get resource" in error.message) == (403, True)
    assert "cannot patch resource" in _refused(viewer.apply, _deployment("shop", stack["Image"])).message


def test_a_role_of_the_cluster_lets_in_a_group_of_an_access_entry(
    emulator: Emulator, stack: dict[str, str], admin: Kubernetes
) -> None:
    auditor = _client(emulator, stack, stack["Auditor"])
    assert _refused(auditor.read, _namespace("default")).status == 403
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "auditors"}}
    rule = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "auditors"}
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "auditors"}
    admin.apply({**kind, "kind": "ClusterRole", "rules": [rule]})
    admin.apply({**kind, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [group]})
    assert auditor.read(_namespace("default"))["metadata"]["name"] == "default"


# Manifests.


def test_an_unknown_field_is_refused_by_its_name(admin: Kubernetes, stack: dict[str, str]) -> None:
    wrong = _deployment("default", stack["Image"])
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    error = _refused(admin.apply, wrong)
    assert error.status == 422
    assert "spec.template.spec.containers[0]" in error.message
    assert "imagePullPolice" in error.message


def test_a_field_of_the_wrong_type_is_refused(admin: Kubernetes, stack: dict[str, str]) -> None:
    wrong = _deployment("default", stack["Image"], replicas="two")
    assert "spec.replicas: 'two' is not of type" in _refused(admin.apply, wrong).message


def test_a_selector_must_match_its_template_and_stays_as_it_was(
    admin: Kubernetes, stack: dict[str, str], shop: dict[str, str]
) -> None:
    other = _deployment("shop", stack["Image"])
    other["spec"]["selector"]["matchLabels"] = {"app": "other"}
    assert "spec.selector: field is immutable" in _refused(admin.apply, other).message
    other["metadata"]["name"] = "other"
    assert "`selector` does not match template `labels`" in _refused(admin.apply, other).message


def test_what_is_applied_into_no_namespace_is_refused(admin: Kubernetes, stack: dict[str, str]) -> None:
    error = _refused(admin.apply, _deployment("nowhere", stack["Image"]))
    assert (error.status, error.message) == (404, 'namespaces "nowhere" not found')


def test_a_kind_that_the_cluster_does_not_know_is_refused(admin: Kubernetes) -> None:
    error = _refused(admin.apply, {"apiVersion": "apps/v1", "kind": "Doployment", "metadata": {"name": "x"}})
    assert (error.status, error.message) == (404, "the cluster has no Doployment in apps/v1")


def test_a_field_that_was_applied_and_is_left_out_goes_away(admin: Kubernetes) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
    admin.apply({**config, "data": {"a": "1", "b": "2"}})
    assert admin.apply({**config, "data": {"a": "3"}})["data"] == {"a": "3"}
    admin.delete(config)
    assert _refused(admin.read, config).status == 404
    admin.delete(config)


def test_objects_are_listed_by_label_and_made_once(emulator: Emulator, stack: dict[str, str]) -> None:
    api, path = _Api(emulator, stack), "/api/v1/namespaces/default/configmaps"
    for name, tier in (("one", "web"), ("two", "web"), ("three", "batch")):
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"tier": tier}},
        }
        assert api.ask("POST", path, config)[0] == 201
    code, again = api.ask("POST", path, config)
    assert (code, again["reason"], again["message"]) == (
        409,
        "AlreadyExists",
        'configmaps "three" already exists',
    )
    for selector, names in {
        "tier=web": ["one", "two"],
        "tier!=web": ["three"],
        "tier in (batch,x),!y": ["three"],
        "y": [],
    }.items():
        _, found = api.ask("GET", f"{path}?labelSelector={selector}")
        assert [each["metadata"]["name"] for each in found["items"]] == names
    assert api.ask("GET", "/api/v1/configmaps?fieldSelector=metadata.name=two")[1]["kind"] == "ConfigMapList"
    assert api.ask("GET", f"{path}?watch=true")[0] == 405


def test_what_another_manager_holds_is_a_conflict_unless_it_is_forced(
    emulator: Emulator, stack: dict[str, str]
) -> None:
    api, path = _Api(emulator, stack), "/api/v1/namespaces/default/configmaps/shared"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}}
    assert api.ask("PATCH", f"{path}?fieldManager=a", {**config, "data": {"x": "1", "y": "1"}})[0] == 201
    assert api.ask("PATCH", f"{path}?fieldManager=b", {**config, "data": {"z": "2"}})[0] == 200
    code, refused = api.ask("PATCH", f"{path}?fieldManager=b", {**config, "data": {"x": "2"}})
    assert (code, refused["reason"]) == (409, "Conflict")
    assert '"a" holds .data.x' in refused["message"]
    _, forced = api.ask("PATCH", f"{path}?fieldManager=b&force=true", {**config, "data": {"x": "2"}})
    assert forced["data"] == {"x": "2", "y": "1"}
    assert api.ask("PATCH", path, config)[1]["message"].endswith("fieldManager: Required value")


def test_a_patch_that_is_no_server_side_apply_is_refused(emulator: Emulator, stack: dict[str, str]) -> None:
    path = "/api/v1/namespaces/default/configmaps/c"
    code, refused = _Api(emulator, stack).ask("PATCH", path, {}, kind="application/merge-patch+json")
    assert (code, refused["reason"]) == (415, "UnsupportedMediaType")


def test_an_ingress_that_nobody_serves_says_why_in_an_event(
    emulator: Emulator, stack: dict[str, str], admin: Kubernetes
) -> None:
    api, ingress = _Api(emulator, stack), _way_in("default")[1]
    ingress["spec"]["ingressClassName"] = "inner"

    def says(reason: str) -> bool:
        events = api.ask("GET", "/api/v1/namespaces/default/events")[1]["items"]
        about = [each for each in events if each["involvedObject"]["kind"] == "Ingress"]
        return any(reason in each["message"] for each in about)

    admin.apply(ingress)
    eventually(lambda: says("there is no IngressClass 'inner'"), "an Event on the class")
    admin.apply(_ingress_class("inner", {"controller": "k8s.io/nginx"}))
    eventually(lambda: says("the IngressClass inner is of k8s.io/nginx"), "an Event on the controller")
    admin.apply(_ingress_class("inner", {"controller": "eks.amazonaws.com/alb"}))
    eventually(lambda: says("is tagged kubernetes.io/role/internal-elb=1"), "an Event on the subnets")
    assert _host(admin, "default") == ""
    admin.delete(ingress)


def test_the_api_server_warns_of_what_has_no_effect_here(admin: Kubernetes) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    admin.warnings.clear()
    admin.apply(budget)
    assert admin.warnings == ["offline, PodDisruptionBudget is kept without any effect"]


# Pods.


def test_requests_through_the_ingress_reach_pods_with_the_environment_that_they_were_given(
    shop: dict[str, str], control: Control, stack: dict[str, str], http: Http
) -> None:
    answers = [http.get(f"http://{shop['host']}/").json() for _ in range(6)]
    pods = {pod["name"]: pod for pod in _pods(control, stack, "shop")}
    assert {each["pod"] for each in answers} == set(pods)
    for each in answers:
        assert (each["greeting"], each["secret"]) == ("hello", "s3cret")
        assert (each["node"], each["ip"]) == (pods[each["pod"]]["node"], pods[each["pod"]]["ip"])
        assert each["zone"] == pods[each["pod"]]["zone"]


def test_pods_call_aws_under_the_role_of_their_pod_identity(
    shop: dict[str, str], stack: dict[str, str], http: Http
) -> None:
    told = http.get(f"http://{shop['host']}/role").json()["role"]
    assert f":assumed-role/{stack['PodRole'].rpartition('/')[2]}/web-" in told


def test_pods_stand_in_different_zones_on_addresses_of_the_nodes_subnets(
    shop: dict[str, str], control: Control, stack: dict[str, str]
) -> None:
    pods = _pods(control, stack, "shop")
    assert len({pod["zone"] for pod in pods}) == 2
    for pod in pods:
        assert pod["ip"].startswith(f"10.0.{ZONES.index(pod['zone'])}.")
    assert set(control.call("kubernetes/list")[stack["Cluster"]]["nodes"]) == set(ZONES)


def test_a_pods_status_and_log_are_read_from_the_api_server(
    shop: dict[str, str], emulator: Emulator, stack: dict[str, str]
) -> None:
    api = _Api(emulator, stack)
    pod = api.ask("GET", "/api/v1/namespaces/shop/pods?labelSelector=app=web")[1]["items"][0]
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["containerStatuses"][0]["ready"] is True
    log = api.ask("GET", f"/api/v1/namespaces/shop/pods/{pod['metadata']['name']}/log")[1]
    assert '"GET /ready HTTP/1.1" 200' in log


def test_a_killed_pod_comes_back_under_its_name(
    shop: dict[str, str], control: Control, stack: dict[str, str], admin: Kubernetes
) -> None:
    before = _pods(control, stack, "shop")[0]
    control.call("kubernetes/kill_pod", cluster=stack["Cluster"], pod=before["name"])

    def is_back() -> bool:
        now = {pod["name"]: pod for pod in _pods(control, stack, "shop")}[before["name"]]
        return bool(now["ready"] and now["restarts"] == before["restarts"] + 1)

    eventually(is_back, "the pod's container to be started again")
    assert _ready(admin, "shop") == 2
    with pytest.raises(CommandRefused, match="runs no pod nobody"):
        control.call("kubernetes/kill_pod", cluster=stack["Cluster"], pod="nobody")


def test_a_deleted_pod_is_replaced_by_another(
    shop: dict[str, str], control: Control, stack: dict[str, str], admin: Kubernetes
) -> None:
    gone = _pods(control, stack, "shop")[0]["name"]
    admin.delete({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": gone, "namespace": "shop"}})
    eventually(
        lambda: (
            gone not in [pod["name"] for pod in _pods(control, stack, "shop")] and _ready(admin, "shop") == 2
        ),
        "another pod in its place",
    )


def test_a_failing_liveness_probe_restarts_the_container(
    shop: dict[str, str], control: Control, stack: dict[str, str], http: Http
) -> None:
    restarts = sum(pod["restarts"] for pod in _pods(control, stack, "shop"))
    assert http.post(f"http://{shop['host']}/sick").status == 200
    eventually(
        lambda: sum(pod["restarts"] for pod in _pods(control, stack, "shop")) > restarts,
        "a restart by the liveness probe",
    )
    eventually(lambda: all(pod["ready"] for pod in _pods(control, stack, "shop")), "ready pods")


def test_a_program_that_starts_slowly_is_not_killed_for_it(
    admin: Kubernetes, control: Control, stack: dict[str, str]
) -> None:
    slow = _deployment("slow", stack["Image"], replicas=1)
    slow["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "STARTS_AFTER", "value": "2"})
    for manifest in (*_web("slow", stack["Image"])[:-1], slow):
        admin.apply(manifest)
    eventually(lambda: _ready(admin, "slow") == 1, "a ready pod")
    assert [pod["restarts"] for pod in _pods(control, stack, "slow")] == [0]
    admin.delete(_namespace("slow"))


def test_a_program_that_never_begins_is_killed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()
    monkeypatch.setattr(kubernetes_pods, "STARTS_WITHIN", 0.3)
    monkeypatch.setattr(program, "surroundings", lambda: SimpleNamespace(folder=tmp_path))
    monkeypatch.setattr(program.Program, "launch", lambda self: self)
    monkeypatch.setattr(program.Program, "running", property(lambda _: not stopped.is_set()))
    monkeypatch.setattr(program.Program, "stop", lambda _: stopped.set())
    monkeypatch.setattr(images, "program_of", lambda _: images.Image(tmp_path, ("true",), ()))
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}
    spec = {"containers": [{"image": "web", "livenessProbe": probe}]}
    node = Node("ip-10-255-0-250", "10.255.0.250", "us-east-1a", "10.255.0.0/24", ())
    pod = Pod(
        {"metadata": {"namespace": "shop", "name": "never"}, "spec": spec},
        node,
        Objects(VERSION),
        None,
        lambda: None,
    )
    assert pod._start()
    try:
        began = time.monotonic()
        pod._serve()
        assert stopped.is_set()
        assert 0.3 <= time.monotonic() - began < 10
    finally:
        pod._close()


def test_a_rolling_change_never_leaves_nobody_ready(
    shop: dict[str, str], admin: Kubernetes, stack: dict[str, str], http: Http
) -> None:
    url, over = f"http://{shop['host']}/", threading.Event()
    seen: list[int] = []
    failed: list[Response] = []

    def watch() -> None:
        while not over.is_set():
            seen.append(_ready(admin, "shop"))

    def ask() -> None:
        while not over.is_set():
            answer = http.get(url)
            if answer.status != 200:
                failed.append(answer)

    with ThreadPoolExecutor(2) as pool:
        watching = [pool.submit(watch), pool.submit(ask)]
        try:
            admin.apply(_deployment("shop", stack["Image"], greeting="good day"))
            eventually(lambda: _is_rolled_out(admin, "shop"), "the new pods in the place of the old")
            answers = [http.get(url).json()["greeting"] for _ in range(4)]
        finally:
            over.set()
        for each in watching:
            each.result()
    assert min(seen) >= 2
    assert failed == []
    assert set(answers) == {"good day"}


def test_in_a_labelled_namespace_a_pod_is_ready_when_its_target_is_healthy(
    shop: dict[str, str], emulator: Emulator, stack: dict[str, str], admin: Kubernetes
) -> None:
    pod = _Api(emulator, stack).ask("GET", "/api/v1/namespaces/shop/pods?labelSelector=app=web")[1]["items"][
        0
    ]
    [gate] = [each["conditionType"] for each in pod["spec"]["readinessGates"]]
    assert {"type": gate, "status": "True"} in pod["status"]["conditions"]
    ingress = _way_in("shop")[1]
    ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/success-codes"] = "204"
    admin.apply(ingress)
    eventually(lambda: _ready(admin, "shop") == 0, "no ready pod where no target is healthy")
    admin.apply(_way_in("shop")[1])
    eventually(lambda: _ready(admin, "shop") == 2, "ready pods with healthy targets")


def test_two_pods_that_start_at_once_in_a_subnet_have_two_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_looked = threading.Barrier(2)

    def slow_port() -> int:
        with suppress(threading.BrokenBarrierError):  # one waits for the other, who has to wait
            both_looked.wait(0.2)
        return free_port()

    monkeypatch.setattr(program, "free_port", slow_port)
    monkeypatch.setattr(program, "surroundings", lambda: SimpleNamespace(folder=tmp_path))
    monkeypatch.setattr(program.Program, "launch", lambda self: self)
    monkeypatch.setattr(images, "program_of", lambda _: images.Image(tmp_path, ("true",), ()))
    node = Node("ip-10-255-0-250", "10.255.0.250", "us-east-1a", "10.255.0.0/24", ())
    pods = [
        Pod(
            {"metadata": {"namespace": "shop", "name": name}, "spec": {"containers": [{"image": "web"}]}},
            node,
            Objects(VERSION),
            None,
            lambda: None,
        )
        for name in ("one", "two")
    ]
    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(Pod._start, pods)) == [True, True]
        assert {pod.ip for pod in pods} == {"10.255.0.4", "10.255.0.5"}
    finally:
        for pod in pods:
            pod._close()


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        ({"sleep": {"seconds": 15}}, 1.5),
        ({"exec": {"command": ["/bin/sleep", "10"]}}, 1.0),
        ({"sleep": {"seconds": 600}}, 3.0),
        ({"exec": {"command": ["nginx", "-s", "quit"]}}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_pre_stop_hook_that_sleeps_takes_a_tenth_of_its_time(hook: dict[str, Any], seconds: float) -> None:
    assert pre_stop_seconds({"lifecycle": {"preStop": hook}}) == seconds


def test_pods_that_never_get_ready_do_not_replace_those_that_are(
    admin: Kubernetes, stack: dict[str, str], control: Control
) -> None:
    good = _web("careful", stack["Image"])
    for manifest in good:
        admin.apply(manifest)
    eventually(lambda: _ready(admin, "careful") == 2, "two ready pods")
    bad = _deployment("careful", stack["Image"])
    bad["spec"]["progressDeadlineSeconds"] = 10
    bad["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "READY", "value": "no"})
    admin.apply(bad)
    eventually(
        lambda: _condition(admin, "careful", "Progressing") == "ProgressDeadlineExceeded", "the deadline"
    )
    assert (_ready(admin, "careful"), _condition(admin, "careful", "Available")) == (
        2,
        "MinimumReplicasAvailable",
    )
    admin.delete(good[0])
    eventually(lambda: not _pods(control, stack, "careful"), "no pods in a namespace that is gone")


def test_a_missing_config_map_keeps_a_pod_from_starting_until_it_is_there(
    admin: Kubernetes, stack: dict[str, str]
) -> None:
    namespace, _, config, _, _ = manifests = _web("late", stack["Image"])
    for manifest in manifests:
        if manifest is not config:
            admin.apply(manifest)
    eventually(lambda: admin.read(_deployment("late", "")).get("status", {}).get("replicas") == 2, "two pods")
    assert _ready(admin, "late") == 0
    admin.apply(config)
    eventually(lambda: _ready(admin, "late") == 2, "pods that start with their ConfigMap")
    admin.delete(namespace)


def test_the_autoscaler_follows_the_load_between_its_bounds(
    shop: dict[str, str], admin: Kubernetes, stack: dict[str, str], control: Control
) -> None:
    scaled = {"cluster": stack["Cluster"], "namespace": "shop", "deployment": "web"}
    admin.apply(_autoscaler("shop", least=2, most=5))
    assert control.call("kubernetes/load", **scaled, cpu_percent=120) == {"replicas": 4}
    assert control.call("kubernetes/load", **scaled, cpu_percent=300) == {"replicas": 5}
    eventually(lambda: _ready(admin, "shop") == 5, "five ready pods")
    assert control.call("kubernetes/load", **scaled, cpu_percent=63) == {"replicas": 5}
    assert control.call("kubernetes/load", **scaled, cpu_percent=1) == {"replicas": 2}
    eventually(lambda: len(_pods(control, stack, "shop")) == 2, "two pods")
    eventually(
        lambda: admin.read(_autoscaler("shop", least=2, most=5))["status"]["currentReplicas"] == 2,
        "its status",
    )


def test_an_autoscaler_raises_a_deployment_below_its_minimum(
    admin: Kubernetes, stack: dict[str, str]
) -> None:
    manifests = [*_web("small", stack["Image"]), _autoscaler("small", least=3, most=5)]
    for manifest in manifests:
        admin.apply(manifest)
    eventually(lambda: _ready(admin, "small") == 3, "three ready pods")
    admin.delete(manifests[0])


def test_a_lost_zone_is_made_good_in_the_others(
    shop: dict[str, str], admin: Kubernetes, stack: dict[str, str], control: Control, http: Http
) -> None:
    zone = _pods(control, stack, "shop")[0]["zone"]
    control.call("zone/lose", zone=zone)
    try:
        eventually(
            lambda: _pods(control, stack, "shop"),
            "two ready pods in the other zones",
            holds=lambda pods: (
                len(pods) == _ready(admin, "shop") == 2 and zone not in {pod["zone"] for pod in pods}
            ),
        )
        eventually(lambda: http.get(f"http://{shop['host']}/").status == 200, "an answer without that zone")
    finally:
        control.call("zone/restore", zone=zone)
    node = next(each for each in _nodes(control, stack, zone))
    found = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
    eventually(
        lambda: admin.read(found)["status"]["conditions"][0]["status"] == "True", "the node to be back"
    )


def test_deleting_leaves_no_load_balancer_and_no_process(
    admin: Kubernetes, emulator: Emulator, stack: dict[str, str], control: Control, http: Http
) -> None:
    manifests = [*_web("brief", stack["Image"]), *_way_in("brief")]
    balancers = _balancers(emulator)
    before = set(_web_processes(emulator))
    for manifest in manifests:
        admin.apply(manifest)
    eventually(lambda: _ready(admin, "brief") == 2 and _host(admin, "brief"), "two pods and a load balancer")
    started = set(_web_processes(emulator)) - before
    assert len(started) == 2
    assert len(_balancers(emulator) - balancers) == 1
    for manifest in reversed(manifests[:-2]):
        admin.delete(manifest)
    eventually(lambda: not started & set(_web_processes(emulator)), "the pods' processes to be gone")
    assert _balancers(emulator) == balancers


def test_a_deleted_cluster_is_gone_with_its_pods_and_its_security_group(
    emulator: Emulator, http: Http
) -> None:
    resources = {**_resources(), "Entry": _entry("Admin", "ClusterAdminPolicy")}
    with deployed(emulator.endpoint, "gone", template(resources, _OUTPUTS)) as outputs:
        before = set(_web_processes(emulator))
        client = _client(emulator, outputs, outputs["Admin"])
        for manifest in _web("shop", outputs["Image"]):
            client.apply(manifest)
        eventually(lambda: _ready(client, "shop") == 2, "two ready pods")
        started = set(_web_processes(emulator)) - before
        assert len(started) == 2
    assert not started & set(_web_processes(emulator))
    with pytest.raises(OSError, match="refused"):
        client.read(_namespace("shop"))
    groups = emulator.endpoint.client("ec2").describe_security_groups()["SecurityGroups"]
    assert outputs["Group"] not in {each["GroupId"] for each in groups}


def test_a_stack_update_changes_access_version_and_nodes(emulator: Emulator) -> None:
    resources = _resources()
    with deployed(emulator.endpoint, "changing", template(resources, _OUTPUTS)) as outputs:
        viewer = _client(emulator, outputs, outputs["Viewer"])
        assert _refused(viewer.apply, _namespace("new")).status == 403
        resources["Cluster"]["Properties"]["Version"] = "1.36"
        resources["ViewerEntry"] = _entry("Viewer", "ClusterAdminPolicy")
        del resources["Nodes"]
        resources["Profile"] = resource(
            "EKS::FargateProfile",
            ClusterName=ref("Cluster"),
            PodExecutionRoleArn=get_att("Admin", "Arn"),
            Selectors=[{"Namespace": "new"}],
            Subnets=[ref("Subnet1")],
        )
        resources["Provider"] = resource(
            "EKS::IdentityProviderConfig",
            ClusterName=ref("Cluster"),
            Type="oidc",
            IdentityProviderConfigName="people",
            Oidc={"IssuerUrl": "https://people.example.com", "ClientId": "c"},
        )
        update_stack(emulator.endpoint, "changing", template(resources, _OUTPUTS))
        eks, cluster = emulator.endpoint.client("eks"), outputs["Cluster"]
        assert eks.describe_cluster(name=cluster)["cluster"]["version"] == "1.36"
        assert eks.list_identity_provider_configs(clusterName=cluster)["identityProviderConfigs"] == [
            {"name": "people", "type": "oidc"}
        ]
        for manifest in (
            _namespace("new"),
            _bare_pod("new", outputs["Image"]),
            _bare_pod("default", outputs["Image"]),
        ):
            viewer.apply(manifest)
        found = eventually(lambda: _running_pod(viewer, "new"), "the pod on Fargate")
        assert found["spec"]["nodeName"].startswith("ip-10-0-1-")
        assert "nodeName" not in viewer.read(_bare_pod("default", outputs["Image"]))["spec"]


# The stack, the manifests, and how they are looked at.


def _resources() -> dict[str, Any]:
    subnets = {
        f"Subnet{number}": resource(
            "EC2::Subnet",
            VpcId=ref("Vpc"),
            AvailabilityZone=zone,
            CidrBlock=f"10.0.{number}.0/24",
            Tags=[{"Key": "kubernetes.io/role/elb", "Value": "1"}],
        )
        for number, zone in enumerate(ZONES)
    }
    names = [ref(name) for name in subnets]
    anybody = allow("sts:AssumeRole", Principal=ANYBODY)
    pods = allow(["sts:AssumeRole", "sts:TagSession"], Principal={"Service": "pods.eks.amazonaws.com"})
    roles = {
        name: resource("IAM::Role", AssumeRolePolicyDocument=policy(trust))
        for name, trust in {
            **dict.fromkeys(("Admin", "Viewer", "Auditor", "Stranger"), anybody),
            "PodRole": pods,
        }.items()
    }
    return {
        "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
        **subnets,
        **roles,
        "Repository": resource(
            "ECR::Repository", EmptyOnDelete=True, Tags=[{"Key": "program", "Value": str(FOLDER)}]
        ),
        "Cluster": resource(
            "EKS::Cluster",
            Version=VERSION,
            RoleArn=get_att("Admin", "Arn"),
            AccessConfig={"AuthenticationMode": "API", "BootstrapClusterCreatorAdminPermissions": "true"},
            ComputeConfig={"Enabled": True, "NodePools": []},
            KubernetesNetworkConfig={"ElasticLoadBalancing": {"Enabled": True}},
            StorageConfig={"BlockStorage": {"Enabled": True}},
            ResourcesVpcConfig={"SubnetIds": names},
        ),
        "Nodes": resource(
            "EKS::Nodegroup",
            ClusterName=ref("Cluster"),
            NodeRole=get_att("Admin", "Arn"),
            Subnets=names,
            ScalingConfig={"MinSize": 3, "DesiredSize": 3, "MaxSize": 6},
        ),
        "Entry": _entry("Admin", "ClusterAdminPolicy"),
        "ViewerEntry": _entry("Viewer", "ViewPolicy", "shop"),
        "AuditorEntry": resource(
            "EKS::AccessEntry",
            ClusterName=ref("Cluster"),
            PrincipalArn=get_att("Auditor", "Arn"),
            KubernetesGroups=["auditors"],
        ),
        "Identity": resource(
            "EKS::PodIdentityAssociation",
            ClusterName=ref("Cluster"),
            Namespace="shop",
            ServiceAccount="web",
            RoleArn=get_att("PodRole", "Arn"),
        ),
        "Addon": resource("EKS::Addon", ClusterName=ref("Cluster"), AddonName="coredns"),
    }


def _entry(role: str, policy: str, *namespaces: str) -> dict[str, Any]:
    scope = {"Type": "namespace", "Namespaces": list(namespaces)} if namespaces else {"Type": "cluster"}
    return resource(
        "EKS::AccessEntry",
        ClusterName=ref("Cluster"),
        PrincipalArn=get_att(role, "Arn"),
        AccessPolicies=[{"PolicyArn": f"{POLICIES}{policy}", "AccessScope": scope}],
    )


_OUTPUTS = {
    "Cluster": ref("Cluster"),
    "Arn": get_att("Cluster", "Arn"),
    "Endpoint": get_att("Cluster", "Endpoint"),
    "Authority": get_att("Cluster", "CertificateAuthorityData"),
    "Issuer": get_att("Cluster", "OpenIdConnectIssuerUrl"),
    "Group": get_att("Cluster", "ClusterSecurityGroupId"),
    "Vpc": ref("Vpc"),
    "Image": {"Fn::Sub": "${Repository.RepositoryUri}:1"},
    "Identity": ref("Identity"),
    "Addon": get_att("Addon", "Arn"),
    **{name: get_att(name, "Arn") for name in ("Admin", "Viewer", "Auditor", "Stranger", "PodRole")},
}


def _token(emulator: Emulator, cluster: str, role: str | None) -> str:
    """A token under `role`, or of whoever made the stack."""
    session = get_session()
    session.set_credentials("test", "test")
    if role is not None:
        keys = session_keys(emulator.endpoint, role)
        session.set_credentials(keys.access_key, keys.secret_key, keys.token)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_STS", emulator.endpoint.url)
        return token(cluster, session, REGION)


def _with(stack: Mapping[str, str], bearer: str) -> Kubernetes:
    return Kubernetes(stack["Endpoint"], stack["Authority"], bearer)


def _client(emulator: Emulator, stack: Mapping[str, str], role: str) -> Kubernetes:
    return _with(stack, _token(emulator, stack["Cluster"], role))


class _Api:
    """The API server by plain HTTP, as its administrator: `ask` answers status and document."""

    def __init__(self, emulator: Emulator, stack: Mapping[str, str]) -> None:
        self._bearer = _token(emulator, stack["Cluster"], stack["Admin"])
        self._pool = urllib3.PoolManager(ca_certs=emulator.endpoint.ca_bundle, retries=False)
        self._url = stack["Endpoint"]

    def ask(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/apply-patch+yaml"
    ) -> tuple[int, Any]:
        answer = self._pool.request(
            method,
            self._url + path,
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {self._bearer}", "Content-Type": kind},
        )
        text = answer.data.decode()
        return answer.status, json.loads(text) if text.startswith("{") else text


def _namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _within(namespace: str, kind: str, version: str = "v1", **rest: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": namespace}, **rest}


def _secret(namespace: str) -> Manifest:
    return _within(namespace, "Secret", stringData={"word": "s3cret"})


def _deployment(namespace: str, image: str, *, greeting: str = "", replicas: Any = 2) -> Manifest:
    fields = {
        "POD": "metadata.name",
        "NODE": "spec.nodeName",
        "IP": "status.podIP",
        "ZONE": "metadata.labels['topology.kubernetes.io/zone']",
    }
    config, secret = {"name": "web", "key": "greeting"}, {"name": "web", "key": "word"}
    variables: list[dict[str, Any]] = [
        {"name": "GREETING", "value": greeting}
        if greeting
        else {"name": "GREETING", "valueFrom": {"configMapKeyRef": config}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": secret}},
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]
    container = {
        "name": "web",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": variables,
        "resources": {"requests": {"cpu": "100m"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2},
        "livenessProbe": {
            "httpGet": {"path": "/alive", "port": "http"},
            "periodSeconds": 2,
            "failureThreshold": 2,
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    labels = {"app": "web"}
    pod = {"serviceAccountName": "web", "containers": [container]}
    return _within(
        namespace,
        "Deployment",
        "apps/v1",
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    )


def _bare_pod(namespace: str, image: str) -> Manifest:
    return _within(namespace, "Pod", spec={"containers": [{"name": "web", "image": image}]})


def _running_pod(client: Kubernetes, namespace: str) -> Manifest | None:
    found = client.read(_bare_pod(namespace, ""))
    return found if found.get("status", {}).get("phase") == "Running" else None


def _web(namespace: str, image: str) -> tuple[Manifest, ...]:
    return (
        _namespace(namespace) | {"metadata": {"name": namespace, "labels": _GATED}},
        _within(namespace, "ServiceAccount"),
        _within(namespace, "ConfigMap", data={"greeting": "hello"}),
        _secret(namespace),
        _deployment(namespace, image),
    )


_GATED = {"eks.amazonaws.com/pod-readiness-gate-inject": "enabled"}


def _way_in(namespace: str) -> tuple[Manifest, ...]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    ingress = _within(
        namespace,
        "Ingress",
        "networking.k8s.io/v1",
        spec={"ingressClassName": "alb", "rules": [{"http": {"paths": [path]}}]},
    )
    ingress["metadata"]["annotations"] = {"alb.ingress.kubernetes.io/healthcheck-path": "/ready"}
    parameters = {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "alb"}
    return (
        _within(
            namespace,
            "Service",
            spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
        ),
        ingress,
        {
            "apiVersion": "eks.amazonaws.com/v1",
            "kind": "IngressClassParams",
            "metadata": {"name": "alb"},
            "spec": {"scheme": "internet-facing"},
        },
        _ingress_class("alb", {"controller": "eks.amazonaws.com/alb", "parameters": parameters}),
    )


def _ingress_class(name: str, spec: Mapping[str, Any]) -> Manifest:
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass"}
    return {**kind, "metadata": {"name": name}, "spec": spec}


def _autoscaler(namespace: str, *, least: int, most: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": 60}
    return _within(
        namespace,
        "HorizontalPodAutoscaler",
        "autoscaling/v2",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    )


def _ready(client: Kubernetes, namespace: str) -> int:
    return int(client.read(_deployment(namespace, "")).get("status", {}).get("readyReplicas", 0))


def _is_rolled_out(client: Kubernetes, namespace: str) -> bool:
    found = client.read(_deployment(namespace, ""))
    status = found["status"]
    same = status["observedGeneration"] == found["metadata"]["generation"]
    return bool(same and status["updatedReplicas"] == status["replicas"] == status["readyReplicas"])


def _condition(client: Kubernetes, namespace: str, name: str) -> str:
    conditions = client.read(_deployment(namespace, ""))["status"]["conditions"]
    return next(str(each["reason"]) for each in conditions if each["type"] == name)


def _host(client: Kubernetes, namespace: str) -> str:
    balancer = client.read(_way_in(namespace)[1]).get("status", {}).get("loadBalancer", {})
    return str(balancer["ingress"][0]["hostname"]) if balancer else ""


def _answering(http: Http, host: str) -> set[str]:
    """The pods that answer through a load balancer."""
    answers = [http.get(f"http://{host}/") for _ in range(4)]
    return {answer.json()["pod"] for answer in answers if answer.status == 200}


def _pods(control: Control, stack: Mapping[str, str], namespace: str) -> list[dict[str, Any]]:
    return [
        pod
        for pod in control.call("kubernetes/pods", cluster=stack["Cluster"])
        if pod["namespace"] == namespace
    ]


def _nodes(control: Control, stack: Mapping[str, str], zone: str) -> list[str]:
    return list(control.call("kubernetes/list")[stack["Cluster"]]["nodes"][zone])


def _balancers(emulator: Emulator) -> set[str]:
    found = emulator.endpoint.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return {each["LoadBalancerArn"] for each in found}


def _web_processes(emulator: Emulator) -> Iterator[int]:
    """The processes of all pods of this offline AWS."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            mine = os.getpgid(int(entry.name)) == emulator.pid
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if mine and str(FOLDER / "web.py").encode() in command:
            yield int(entry.name)


def _refused(call: Callable[[Manifest], Any], manifest: Manifest) -> KubernetesError:
    with pytest.raises(KubernetesError) as refusal:
        call(manifest)
    return refusal.value
