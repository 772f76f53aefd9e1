"""A small client of an EKS cluster's API server: no kubectl, no package, enough to apply what a blueprint needs.

    cluster = connect(cluster_name, endpoint, ca_data)  # as whom the SDK calls AWS here
    cluster.apply(manifest)                             # server-side apply
    cluster.read(manifest)                              # the object, with its status
    cluster.delete(manifest)                            # nothing happens when it is gone already

A token is good for 15 minutes; a client is made anew with a new one. Nothing here waits for anything to be ready.
Sources: "Server-Side Apply" and "Kubernetes API Concepts", Kubernetes documentation.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from botocore.session import Session

FIELD_MANAGER = "blueprint"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML
_NOT_FOUND = 404

Object = dict[str, Any]


class KubernetesError(Exception):
    """The API server refused a request: `status` is HTTP's, `message` its own words, which name the field."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Kubernetes answered {status}: {message}")
        self.status, self.message = status, message


def token(cluster_name: str, session: Session, region: str) -> str:
    """A bearer token for the cluster, as `aws eks get-token` makes it: a presigned GetCallerIdentity of `session`.

    STS is addressed as the SDK would address it, `AWS_ENDPOINT_URL_STS` and `AWS_ENDPOINT_URL` included. Raises
    botocore's `NoCredentialsError`.
    """
    from botocore.exceptions import NoCredentialsError
    from botocore.signers import RequestSigner

    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    sts = session.create_client("sts", region_name=region)
    signer = RequestSigner(
        sts.meta.service_model.service_id,
        region,
        "sts",
        "v4",
        credentials,
        session.get_component("event_emitter"),
    )
    request = {
        "method": "GET",
        "url": f"{sts.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "headers": {"x-k8s-aws-id": cluster_name},
        "body": {},
        "context": {},
    }
    url = signer.generate_presigned_url(request, operation_name="", region_name=region, expires_in=60)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def connect(cluster_name: str, endpoint: str, ca_data: str) -> Kubernetes:
    """A client of the cluster under the credentials that the SDK finds here, such as the function's role."""
    from botocore.session import get_session

    session = get_session()
    region = str(session.get_config_variable("region"))
    return Kubernetes(endpoint, ca_data, token(cluster_name, session, region))


class Kubernetes:
    """The API server at `endpoint` (https), whose authority is `ca_data` (base64 of PEM, as EKS gives it).

    `warnings` gathers what it has warned of, in its words. Every request has `timeout_s` seconds; raised are
    `KubernetesError` where it refuses, and `OSError` where it does not answer.
    """

    def __init__(self, endpoint: str, ca_data: str, token: str, *, timeout_s: float = 10.0) -> None:
        self.warnings: list[str] = []
        self._url = urlsplit(endpoint)
        self._authority = base64.b64decode(ca_data).decode()
        self._token, self._timeout = token, timeout_s
        self._resources: dict[str, dict[str, tuple[str, bool]]] = {}

    def apply(self, manifest: Mapping[str, Any]) -> Object:
        """Make the cluster's object what `manifest` says, taking over fields that others hold; what it is now."""
        path = self._path(manifest)
        return self._request("PATCH", f"{path}?fieldManager={FIELD_MANAGER}&force=true", manifest)

    def read(self, manifest: Mapping[str, Any]) -> Object:
        """The object that has the kind, name and namespace of `manifest`, with its status.

        Raises `KubernetesError` with status 404 where there is none.
        """
        return self._request("GET", self._path(manifest))

    def delete(self, manifest: Mapping[str, Any]) -> None:
        """Take the object away, if it is there. What hangs on it goes in its own time."""
        try:
            self._request("DELETE", self._path(manifest))
        except KubernetesError as error:
            if error.status != _NOT_FOUND:
                raise

    def _path(self, manifest: Mapping[str, Any]) -> str:
        api_version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if api_version not in self._resources:
            found = self._request("GET", base)["resources"]
            own = [each for each in found if "/" not in each["name"]]  # the others are subresources
            self._resources[api_version] = {each["kind"]: (each["name"], each["namespaced"]) for each in own}
        if kind not in self._resources[api_version]:
            raise KubernetesError(_NOT_FOUND, f"the cluster has no {kind} in {api_version}")
        plural, namespaced = self._resources[api_version][kind]
        namespace = quote(metadata.get("namespace", "default"), safe="")
        within = f"/namespaces/{namespace}" if namespaced else ""
        return f"{base}{within}/{plural}/{quote(metadata['name'], safe='')}"

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Object:
        import http.client
        import ssl

        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = _APPLY
        context = ssl.create_default_context(cadata=self._authority)
        # EKS's own authority has no key identifiers, for which Python asks from 3.13 on. The chain and the name are
        # verified as before.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        connection = http.client.HTTPSConnection(
            self._url.hostname or "",
            self._url.port,
            timeout=self._timeout,
            context=context,
        )
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            content = response.read()
        except http.client.HTTPException as problem:
            raise ConnectionError(f"the API server's answer cannot be read: {problem!r}") from problem
        finally:
            connection.close()
        for warning in response.headers.get_all("Warning", []):
            self.warnings.append(re.sub(r'^\d+ \S+ "(.*)"$', r"\1", warning).replace('\\"', '"'))
        document = _document(content)
        if response.status >= http.client.BAD_REQUEST:
            raise KubernetesError(response.status, str(document.get("message") or response.reason))
        return document


def _document(content: bytes) -> Object:
    try:
        document = json.loads(content)
    except ValueError:  # a proxy in between has its own pages
        return {}
    return document if isinstance(document, dict) else {}
