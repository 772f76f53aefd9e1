"""A deployment step that makes a pair of RSA keys once, the private one in a secret, and answers with the public one.

Properties: `Secret` (ARN), `Key` (a KMS key that vouches for the pair's randomness). Attribute: `PublicKey`, PEM. The
secret is {"private_key": PEM, "public_key": PEM}.

It may be asked any number of times, and twice at once, as Lambda and CloudFormation both retry: the pair is kept as
a version of the secret whose id is fixed, and Secrets Manager takes no second value for a version ("PutSecretValue",
AWS Secrets Manager API Reference). Whoever comes second answers with what the first has kept.
"""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Mapping
from typing import Any

from lambdas.shared.custom_resource import answer
from lambdas.shared.sdk import bounded_client, code_of

KEY_SPEC = "RSA_2048"  # CloudFront takes it ("Specify signers", CloudFront Developer Guide)
VERSION = "00000000-0000-4000-8000-00000000000a"  # any id will do, so long as it is always the same


def handler(event: dict[str, Any], context: Any) -> None:
    answer(event, context, _act)


def _act(request_type: str, properties: Mapping[str, Any], _old: Mapping[str, Any]) -> Mapping[str, Any]:
    if request_type == "Delete":  # the secret is the stack's
        return {}
    secrets, kms = (
        bounded_client(service, connect_s=5, read_s=20, attempts=5) for service in ("secretsmanager", "kms")
    )
    return {"PublicKey": public_key(secrets, kms, str(properties["Secret"]), str(properties["Key"]))}


def public_key(secrets: Any, kms: Any, secret: str, key: str) -> str:
    """The public key of the pair that `secret` holds, which is made first where it holds none."""
    return _kept(secrets, secret) or _made(secrets, kms, secret, key)


def _made(secrets: Any, kms: Any, secret: str, key: str) -> str:
    from botocore.exceptions import ClientError

    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=KEY_SPEC)
    public = pem("PUBLIC KEY", pair["PublicKey"])
    private = pem("PRIVATE KEY", pair["PrivateKeyPlaintext"])
    try:
        secrets.put_secret_value(
            SecretId=secret,
            ClientRequestToken=VERSION,
            SecretString=json.dumps({"private_key": private, "public_key": public}),
        )
    except ClientError as error:
        if code_of(error) != "ResourceExistsException":
            raise
    # What is there now may be another's, who was a moment ahead.
    kept = _kept(secrets, secret)
    if kept is None:
        raise RuntimeError("the secret holds no key, though one was put into it")
    return kept


def _kept(secrets: Any, secret: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        found = secrets.get_secret_value(SecretId=secret, VersionId=VERSION)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        return None
    return str(json.loads(found["SecretString"])["public_key"])


def pem(label: str, der: bytes) -> str:
    """DER as PEM: base64 in lines of 64 characters, between two lines with the label (RFC 7468)."""
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
