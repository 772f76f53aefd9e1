"""The steps of a deployment: a bucket that is emptied, and manifests that are applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambdas.shared import apply_manifests, empty_bucket
from lambdas.shared.kubernetes import KubernetesError
from lambdas.shared.observability import logger


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("s3")


def test_every_version_of_every_object_goes(s3: Any) -> None:
    s3.create_bucket(Bucket="files")
    s3.put_bucket_versioning(Bucket="files", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="files", Key="a", Body=body)
    s3.put_object(Bucket="files", Key="b", Body=b"3")
    s3.delete_object(Bucket="files", Key="b")
    assert empty_bucket.empty(s3, "files") == 4
    s3.delete_bucket(Bucket="files")


def test_more_than_one_page_goes(s3: Any) -> None:
    s3.create_bucket(Bucket="files")
    for number in range(1_005):
        s3.put_object(Bucket="files", Key=str(number), Body=b"")
    assert empty_bucket.empty(s3, "files") == 1_005


def test_what_s3_refuses_to_delete_is_told() -> None:
    class Locked:
        def list_object_versions(self, **_: Any) -> dict[str, Any]:
            return {"Versions": [{"Key": "held", "VersionId": "1"}]}

        def delete_objects(self, **_: Any) -> dict[str, Any]:
            return {"Errors": [{"Key": "held", "Code": "AccessDenied"}]}

    with pytest.raises(RuntimeError, match="held: AccessDenied"):
        empty_bucket.empty(Locked(), "files")


class Cluster:
    """A cluster in memory; its load balancer is there at the third look."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.applied: list[str] = []
        self.deleted: list[str] = []
        self.looks = 0

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        self.applied.append(str(manifest["kind"]))
        return manifest

    def delete(self, manifest: Mapping[str, Any]) -> None:
        self.deleted.append(str(manifest["kind"]))

    def read(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        assert (manifest["kind"], manifest["metadata"]) == ("Ingress", {"namespace": "book", "name": "web"})
        self.looks += 1
        return {"status": {"loadBalancer": {"ingress": [{"hostname": "host"}]}}} if self.looks > 2 else {}


def test_what_leans_on_another_is_taken_away_before_it() -> None:
    cluster = Cluster()
    apply_manifests.take_away(cluster, [{"kind": "Namespace"}, {"kind": "Deployment"}])
    assert cluster.deleted == ["Deployment", "Namespace"]


class Lingering(Cluster):
    """An ingress that is there for `looks` more looks, as one whose load balancer is being deleted."""

    def __init__(self, looks: int, status: int = 404) -> None:
        super().__init__()
        self.left, self.status = looks, status

    def read(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        self.left -= 1
        if self.left < 0:
            raise KubernetesError(self.status, "gone")
        return manifest


GOES: list[dict[str, Any]] = [{"kind": "Namespace"}, {"kind": "Ingress", "metadata": {"name": "web"}}]


def test_what_an_ingress_leans_on_stays_until_its_load_balancer_is_gone() -> None:
    cluster = Lingering(3)
    seen: list[list[str]] = []
    apply_manifests.take_away(cluster, GOES, lambda _: seen.append(list(cluster.deleted)))
    assert seen == [["Ingress"]] * 3
    assert cluster.deleted == ["Ingress", "Namespace"]


def test_an_ingress_that_stays_is_a_failure_that_names_it() -> None:
    with pytest.raises(TimeoutError, match="ingress web"):
        apply_manifests.take_away(Lingering(10_000), GOES, lambda _: None)


def test_an_answer_that_is_not_about_its_being_gone_is_raised() -> None:
    with pytest.raises(KubernetesError):
        apply_manifests.take_away(Lingering(0, 500), GOES, lambda _: None)


def test_the_load_balancer_is_waited_for() -> None:
    naps: list[float] = []
    assert apply_manifests.host_of(Cluster(), "book/web", naps.append) == "host"
    assert len(naps) == 2


def test_one_that_never_comes_is_a_failure_that_names_it() -> None:
    class Never(Cluster):
        def read(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
            return {}

    with pytest.raises(TimeoutError, match="book/web"):
        apply_manifests.host_of(Never(), "book/web", lambda _: None)


class Holding(Cluster):
    """A cluster that has what was applied, by kind and name, and not what was deleted; it warns of every Pod."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[str] = set()

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        if manifest["kind"] == "Pod":
            self.warnings.append(f"{_called(manifest)} is naked")
        if manifest["kind"] == "Nonsense":
            raise KubernetesError(404, "the cluster has no Nonsense in v1")
        self.held.add(_called(manifest))
        return manifest

    def delete(self, manifest: Mapping[str, Any]) -> None:
        super().delete(manifest)
        self.held.discard(_called(manifest))

    def read(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        if _called(manifest) not in self.held:
            raise KubernetesError(404, "gone")
        return manifest


def _called(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _manifest(api: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"namespace": "book", "name": name}}


def _properties(*manifests: dict[str, Any], cluster: str = "one") -> dict[str, str]:
    return {
        "ClusterName": cluster,
        "Endpoint": "https://api",
        "CertificateAuthority": "",
        "Manifests": json.dumps(manifests),
    }


SERVICE = _manifest("v1", "Service", "web")
SCALER = _manifest("autoscaling/v2", "HorizontalPodAutoscaler", "web")
INGRESS = _manifest("networking.k8s.io/v1", "Ingress", "web")
OTHER = _manifest("networking.k8s.io/v1", "Ingress", "other")


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> dict[str, Holding]:
    """Those that the step connects to, by their names."""
    held: dict[str, Holding] = {}
    connect = lambda name, *_: held.setdefault(name, Holding())  # noqa: E731
    monkeypatch.setattr("lambdas.shared.kubernetes.connect", connect)
    return held


def _update(old: dict[str, str], new: dict[str, str]) -> None:
    apply_manifests.act("Create", old, {})
    apply_manifests.act("Update", new, old)


def test_an_update_takes_away_what_is_not_among_the_manifests_any_more(clusters: dict[str, Holding]) -> None:
    _update(_properties(SERVICE, SCALER, INGRESS), _properties(SERVICE, OTHER))
    assert clusters["one"].held == {"Service web", "Ingress other"}
    assert clusters["one"].deleted == ["Ingress", "HorizontalPodAutoscaler"]


def test_an_update_leaves_an_object_that_is_in_another_version_of_its_api(
    clusters: dict[str, Holding],
) -> None:
    _update(_properties(_manifest("autoscaling/v1", "HorizontalPodAutoscaler", "web")), _properties(SCALER))
    assert clusters["one"].deleted == []


def test_an_update_takes_everything_away_from_a_cluster_that_is_another_now(
    clusters: dict[str, Holding],
) -> None:
    _update(_properties(SERVICE, INGRESS), _properties(SERVICE, INGRESS, cluster="two"))
    assert clusters["one"].held == set()
    assert clusters["two"].held == {"Service web", "Ingress web"}


def test_nothing_is_taken_away_by_an_update_that_fails(clusters: dict[str, Holding]) -> None:
    with pytest.raises(KubernetesError, match="Nonsense"):
        _update(_properties(INGRESS), _properties(_manifest("v1", "Nonsense", "web")))
    assert clusters["one"].held == {"Ingress web"}


def test_what_the_api_server_warns_of_is_in_the_log_also_where_it_refuses_something(
    clusters: dict[str, Holding], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(logger, "warning", lambda message, *given: logged.append(message % given))
    with pytest.raises(KubernetesError):
        apply_manifests.act(
            "Create", _properties(_manifest("v1", "Pod", "web"), _manifest("v1", "Nonsense", "web")), {}
        )
    assert logged == ["the API server warns: Pod web is naked"]
