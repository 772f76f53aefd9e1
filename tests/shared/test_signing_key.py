"""The deployment step that makes a signing key: one pair, however often and by however many it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.shared import signing_key

pytestmark = pytest.mark.fast

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/a-key"


class FakeSecrets:
    """One secret, with AWS's rule that a version is written once."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}

    def get_secret_value(self, **asked: str) -> dict[str, str]:
        assert asked["SecretId"] == SECRET
        if asked["VersionId"] not in self.versions:
            raise _error("ResourceNotFoundException", "GetSecretValue")
        return {"SecretString": self.versions[asked["VersionId"]]}

    def put_secret_value(self, **given: str) -> None:
        assert given["SecretId"] == SECRET
        if (
            self.versions.setdefault(given["ClientRequestToken"], given["SecretString"])
            != given["SecretString"]
        ):
            raise _error("ResourceExistsException", "PutSecretValue")


class FakeKms:
    """Makes pairs, and does what `meanwhile` says before it answers."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._meanwhile = meanwhile
        self.made = 0

    def generate_data_key_pair(self, **asked: str) -> dict[str, bytes]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

        assert asked == {"KeyId": KEY, "KeyPairSpec": "RSA_2048"}
        self.made += 1
        pair = generate_private_key(public_exponent=65537, key_size=2048)
        self._meanwhile()
        return {
            "PublicKey": pair.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "PrivateKeyPlaintext": pair.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        }


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "injected"}}, operation)


def test_the_public_key_that_is_answered_is_that_of_the_private_one_that_is_kept() -> None:
    from cryptography.hazmat.primitives import serialization

    secrets = FakeSecrets()
    answered = signing_key.public_key(secrets, FakeKms(), SECRET, KEY)
    assert answered.startswith("-----BEGIN PUBLIC KEY-----\n")
    [kept] = map(json.loads, secrets.versions.values())
    private: Any = serialization.load_pem_private_key(kept["private_key"].encode(), password=None)
    assert private.key_size == 2048
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert answered == kept["public_key"] == public.decode()


def test_asked_again_it_answers_the_same_and_makes_nothing() -> None:
    secrets, kms = FakeSecrets(), FakeKms()
    answers = {signing_key.public_key(secrets, kms, SECRET, KEY) for _ in range(3)}
    assert (len(answers), kms.made) == (1, 1)


def test_asked_twice_at_once_both_answer_the_pair_that_was_kept_first() -> None:
    secrets = FakeSecrets()
    first: list[str] = []
    ahead = FakeKms()

    def meanwhile() -> None:
        first.append(signing_key.public_key(secrets, ahead, SECRET, KEY))

    second = signing_key.public_key(secrets, FakeKms(meanwhile), SECRET, KEY)
    assert first == [second]
    assert len(secrets.versions) == 1


def test_a_refusal_fails_the_deployment() -> None:
    class Refusing(FakeSecrets):
        def put_secret_value(self, **_: Any) -> None:
            raise _error("AccessDeniedException", "PutSecretValue")

    with pytest.raises(ClientError, match="AccessDenied"):
        signing_key.public_key(Refusing(), FakeKms(), SECRET, KEY)


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_a_deletion_makes_nothing_and_leaves_the_secret_to_the_stack(
    request_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets, kms = FakeSecrets(), FakeKms()
    clients = {"secretsmanager": secrets, "kms": kms}
    monkeypatch.setattr(signing_key, "bounded_client", lambda service, **_: clients[service])
    answered = signing_key._act(request_type, {"Secret": SECRET, "Key": KEY}, {})
    if request_type == "Delete":
        assert (answered, kms.made) == ({}, 0)
    else:
        assert answered["PublicKey"].startswith("-----BEGIN PUBLIC KEY-----\n")
