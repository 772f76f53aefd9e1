"""Redirects through the offline AWS, against a function behind the same kind of API that does nothing.

What is measured is the emulator, the handler's Python and this machine: never what AWS would take. The ratio
to the function that does nothing is what the handler adds.
"""

from __future__ import annotations

from typing import Any

from bench.fresh import Bench
from bench.offline import Batch, Offline, Request, offline
from bench.table import Row, Table, compared, percentile
from stacks.url_shortener.scenario import Shortener

REQUESTS = {1: 200, 8: 400, 32: 640}  # clients at once → requests in all
ROUNDS = 2
SETTLES_WITHIN = 120.0
LINKS = 50
TARGET = "https://example.com/a?b=c#d"
# It writes a line of log, as ours does: MiniStack waits 50 ms for the log of one that writes none.
NOTHING = f"""
def handler(event, context):
    print("nothing")
    return {{"statusCode": 302, "headers": {{"Location": "{TARGET}"}}, "body": ""}}
"""


def run(bench: Bench) -> Table:
    """Requests a second and latencies in ms, by the number of clients."""
    with offline(bench, "url_shortener") as system:
        nothing = f"{system.add('Nothing', nothing_template())['Url']}/{{}}".format
        codes = _make_links(system)
        api, edge = (f"{system.outputs[name]}/{{}}".format for name in ("ApiUrl", "Url"))
        rows: list[Row] = []
        wrong = 0
        for clients, count in REQUESTS.items():
            ways = {"peer": nothing, "ours": api} | ({"edge": edge} if clients == 1 else {})
            taken: dict[str, list[Batch]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, url in ways.items():
                    taken[way].append(_follow(system, [url(code) for code in codes], clients, count))
            wrong += sum(_wrong(batch) for batches in taken.values() for batch in batches)
            best = {way: max(each, key=lambda batch: batch.per_second) for way, each in taken.items()}
            rows += _rows(clients, best["ours"], best["peer"])
            if "edge" in best:
                rows += _edge_rows(best["edge"], best["ours"])
    rows.append(Row("answers that are no redirect to the right place", wrong, "", goal=0, must=True))
    return Table(
        "redirects",
        "Redirects through the offline AWS",
        tuple(rows),
        (
            f"Each the better of {ROUNDS} rounds, in turn with the peer's: by requests a second.",
            "The clients are threads of one process, each with a connection of its own, over TLS.",
            "Every worker process has started before the clock runs; a handler runs in one process a client.",
            "The clicks of a batch are counted while it runs, and all of them before the next one begins.",
            "The peer answers a constant 302 behind an HTTP API of the same emulator.",
        ),
    )


def _make_links(system: Offline) -> list[str]:
    shortener = Shortener(system.world)
    shortener.sign_in("bench")
    return [shortener.post_link({"url": TARGET}).json()["code"] for _ in range(LINKS)]


def _follow(system: Offline, urls: list[str], clients: int, count: int) -> Batch:
    """Send `count` requests, once the clicks of those before are counted and no longer take a processor."""
    system.world.eventually(lambda: _is_empty(system), within=SETTLES_WITHIN, what="the click queue is empty")
    requests = [Request("GET", urls[n % len(urls)]) for n in range(count)]
    return system.send(requests, clients, warm_up=requests[:clients])


def _is_empty(system: Offline) -> bool:
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    answer = system.client("sqs").get_queue_attributes(
        QueueUrl=system.outputs["ClickQueueUrl"], AttributeNames=list(counts)
    )
    return all(int(answer["Attributes"][count]) == 0 for count in counts)


def _wrong(batch: Batch) -> int:
    return sum((answer.status, answer.location) != (302, TARGET) for answer in batch.answers)


def _rows(clients: int, ours: Batch, peer: Batch) -> list[Row]:
    who = "1 client" if clients == 1 else f"{clients} clients"
    rows = [compared(f"{who}: redirects", ours.per_second, "/s", peer.per_second, "nothing")]
    for share in (0.5, 0.99):
        name = f"p{share * 100:.0f}"
        mine, theirs = percentile(ours.latencies_ms, share), percentile(peer.latencies_ms, share)
        rows.append(compared(f"{who}: {name}", mine, "ms", theirs, "nothing"))
        if share == 0.5 and clients == 1:  # with more, it would be the wait for a processor
            rows.append(Row(f"{who}: {name}, what the handler adds", mine - theirs, "ms"))
    return rows


def _edge_rows(edge: Batch, direct: Batch) -> list[Row]:
    return [
        compared(
            f"1 client through CloudFront: {name}",
            percentile(edge.latencies_ms, share),
            "ms",
            percentile(direct.latencies_ms, share),
            "through the API",
        )
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]


def nothing_template() -> dict[str, Any]:
    """A template of one HTTP API before one function that redirects to a constant."""
    service = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {
        "Resources": {
            "Role": _resource(
                "AWS::IAM::Role", AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]}
            ),
            "Function": _resource(
                "AWS::Lambda::Function",
                Runtime="python3.14",
                Handler="index.handler",
                Role={"Fn::GetAtt": ["Role", "Arn"]},
                Code={"ZipFile": NOTHING},
                MemorySize=512,
                Timeout=10,
            ),
            "Api": _resource("AWS::ApiGatewayV2::Api", Name="nothing", ProtocolType="HTTP"),
            "Integration": _resource(
                "AWS::ApiGatewayV2::Integration",
                ApiId={"Ref": "Api"},
                IntegrationType="AWS_PROXY",
                IntegrationUri={"Fn::Sub": f"{service}/functions/${{Function.Arn}}/invocations"},
                PayloadFormatVersion="2.0",
            ),
            "Route": _resource(
                "AWS::ApiGatewayV2::Route",
                ApiId={"Ref": "Api"},
                RouteKey="GET /{code}",
                Target={"Fn::Sub": "integrations/${Integration}"},
            ),
            "Stage": _resource(
                "AWS::ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="$default", AutoDeploy=True
            ),
            "Permission": _resource(
                "AWS::Lambda::Permission",
                Action="lambda:InvokeFunction",
                FunctionName={"Fn::GetAtt": ["Function", "Arn"]},
                Principal="apigateway.amazonaws.com",
                SourceArn={
                    "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"
                },
            ),
        },
        "Outputs": {
            "Url": {"Value": {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.amazonaws.com"}},
        },
    }


def _resource(type: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type, "Properties": properties}
