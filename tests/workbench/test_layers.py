"""Layers of libraries, offline: what is compiled for Lambda's machines comes from the environment instead."""

from __future__ import annotations

import io
import json
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import resource as of_type
from tests.assemblies import stack
from tests.conftest import ROOT
from tests.offline import create_role, deployed, eventually
from tests.templates import LAMBDA, ref, resource, template
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.localise import LIBRARIES_NOTE, KnownTypes, localise

OURS = EXTENSION_SUFFIXES[0]  # such as .cpython-311-x86_64-linux-gnu.so
CODE = """
import layered
import pg8000

def handler(event, context):
    return {"pg8000": pg8000.__file__, "layered": layered.WHERE}
"""


def _archive(*names: str, **modules: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
        for name, text in modules.items():
            archive.writestr(f"python/{name}.py", text)
    return content.getvalue()


@pytest.mark.fast
@pytest.mark.parametrize(
    ("names", "elsewhere"),
    [
        (["python/pg8000/core.py"], False),
        (["python/cimpl" + OURS], False),
        (["python/cryptography/_rust.abi3.so", "python/x.libs/librdkafka-1.so.1"], False),
        (["python/a.py", "python/cimpl.cpython-399-somewhere-linux-gnu.so"], True),
    ],
)
def test_a_layer_is_of_another_machine_when_a_module_of_it_is(names: list[str], elsewhere: bool) -> None:
    from workbench.offline.parts.layers import is_of_another_machine

    assert is_of_another_machine(_archive(*names)) is elsewhere


@pytest.mark.fast
def test_the_report_says_where_libraries_come_from() -> None:
    kinds = frozenset({"AWS::Lambda::LayerVersion", "AWS::SQS::Queue"})
    known = KnownTypes(kinds, {})
    with_layer = stack({"Layer": of_type("AWS::Lambda::LayerVersion")})
    without = stack({"Queue": of_type("AWS::SQS::Queue")})
    assert localise(with_layer, known).notes == (LIBRARIES_NOTE,)
    assert localise(without, known).notes == ()
    assert localise(with_layer, None).notes == (), "elsewhere the layer is used as it is"


@pytest.fixture(scope="module")
def bucket(emulator: Emulator) -> str:
    emulator.endpoint.client("s3").create_bucket(Bucket="layers")
    return "layers"


@pytest.mark.parametrize("compiled", [[], ["python/cimpl.cpython-399-somewhere-linux-gnu.so"]])
def test_a_function_imports_from_its_layer_what_could_run_here_and_from_the_environment_else(
    compiled: list[str], emulator: Emulator, bucket: str
) -> None:
    """The first layer is of Python alone; the second shadows a library, and with a compiled module it cannot run."""
    endpoint = emulator.endpoint
    s3, functions = endpoint.client("s3"), endpoint.client("lambda")
    name = f"layered-{len(compiled)}"
    plain = _archive(layered="WHERE = 'layer'")
    shadow = _archive(*compiled, pg8000="")
    for key, body in {"code": _code(), "plain": plain, name: shadow}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    resources = {
        "Plain": resource("Lambda::LayerVersion", Content={"S3Bucket": bucket, "S3Key": "plain"}),
        "Shadow": resource("Lambda::LayerVersion", Content={"S3Bucket": bucket, "S3Key": name}),
        "Function": resource(
            "Lambda::Function",
            Code={"S3Bucket": bucket, "S3Key": "code"},
            Handler="index.handler",
            Runtime="python3.13",
            Role=create_role(endpoint, name, trusts=LAMBDA),
            Layers=[ref("Plain"), ref("Shadow")],
        ),
    }
    with deployed(endpoint, name, template(resources, {"Name": ref("Function")})) as outputs:
        answer = eventually(lambda: _invoke(functions, outputs["Name"]), "an answer of the function")
    assert answer["layered"] == "layer"
    from_here = answer["pg8000"].startswith(str(ROOT / ".venv"))
    assert from_here is bool(compiled)


def test_what_set_up_puts_into_the_layer_is_imported_from_the_environment_in_the_same_versions(
    emulator: Emulator, bucket: str
) -> None:
    from patterns.python_libraries import FOLDER
    from workbench.dryrun.deploy import _zip_folder

    endpoint = emulator.endpoint
    names = ("aws_msk_iam_sasl_signer", "confluent_kafka", "cryptography", "pg8000", "valkey")
    code = (
        f"import {', '.join(names)}\n"
        f"def handler(event, context): return [each.__file__ for each in ({', '.join(names)})]\n"
    )
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=bucket, Key="all", Body=_zip_folder(FOLDER))
    s3.put_object(Bucket=bucket, Key="all-code", Body=_code(code))
    resources = {
        "Libraries": resource("Lambda::LayerVersion", Content={"S3Bucket": bucket, "S3Key": "all"}),
        "Function": resource(
            "Lambda::Function",
            Code={"S3Bucket": bucket, "S3Key": "all-code"},
            Handler="index.handler",
            Runtime="python3.14",
            Architectures=["arm64"],
            Role=create_role(endpoint, "all", trusts=LAMBDA),
            Layers=[ref("Libraries")],
        ),
    }
    with deployed(endpoint, "all", template(resources, {"Name": ref("Function")})) as outputs:
        functions = endpoint.client("lambda")
        files = eventually(lambda: _invoke(functions, outputs["Name"]), "an answer of the function")
        [layer] = functions.get_function(FunctionName=outputs["Name"])["Configuration"]["Layers"]
    assert len(files) == len(names)
    assert all(Path(each).is_relative_to(ROOT / ".venv" / "lib") for each in files), files
    assert layer["CodeSize"] > 0


def _code(text: str = CODE) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", text)
    return content.getvalue()


def _invoke(functions: Any, name: str) -> Any:
    answer = functions.invoke(FunctionName=name)
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())
