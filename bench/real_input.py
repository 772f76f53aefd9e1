"""The whole real input: every URL of tests/url_shortener/urls.txt shortened and followed through CloudFront.

The URLs are as people have written them down in public documents. Every redirect must lead to exactly the URL
that was given, and every URL must be taken but for the four that a rule refuses.
"""

from __future__ import annotations

import json

from bench.fresh import Bench
from bench.offline import Request, offline
from bench.table import Row, Table, percentile
from stacks.url_shortener.scenario import Shortener
from workbench import catalogue

INPUT = catalogue.ROOT / "tests" / "url_shortener" / "urls.txt"
REFUSED = frozenset(
    {
        "http://docker/info",
        "http://llm-server:1234",
        "http://resource-test-app.cost-optimization.svc.cluster.local",
        "https://cdn.../track-uuid/lossless.m4a?sig=",
    }
)
CLIENTS = 8


def run(bench: Bench) -> Table:
    """Links and redirects a second, and everything that is not as it must be."""
    urls = INPUT.read_text(encoding="utf-8").splitlines()
    with offline(bench, "url_shortener") as system:
        edge, token = system.outputs["Url"], Shortener(system.world).token_of("bench")
        wishes = [Request("POST", f"{edge}/api/links", {"url": url}, token) for url in urls]
        example = Request("POST", f"{edge}/api/links", {"url": "https://example.com/"}, token)
        made = system.send(wishes, CLIENTS, warm_up=[example])
        statuses = {url: answer.status for url, answer in zip(urls, made.answers, strict=True)}
        codes = [
            (json.loads(answer.body)["code"], url)
            for url, answer in zip(urls, made.answers, strict=True)
            if answer.status == 201
        ]
        first = Request("GET", f"{edge}/{codes[0][0]}")
        followed = system.send(
            [Request("GET", f"{edge}/{code}") for code, _ in codes], CLIENTS, warm_up=[first]
        )
    mismatches = sum(
        (answer.status, answer.location) != (302, Shortener.as_header(url))
        for answer, (_, url) in zip(followed.answers, codes, strict=True)
    )
    misjudged = sum(status != (422 if url in REFUSED else 201) for url, status in statuses.items())
    rows = (
        Row("URLs", len(urls), ""),
        Row("links made", len(codes), ""),
        Row("links", made.per_second, "/s"),
        Row("links: p50", percentile(made.latencies_ms, 0.5), "ms"),
        Row("links: p99", percentile(made.latencies_ms, 0.99), "ms"),
        Row("redirects", followed.per_second, "/s"),
        Row("redirects: p50", percentile(followed.latencies_ms, 0.5), "ms"),
        Row("redirects: p99", percentile(followed.latencies_ms, 0.99), "ms"),
        Row("URLs refused, or taken, that should not be", misjudged, "", goal=0, must=True),
        Row("codes given out twice", len(codes) - len({code for code, _ in codes}), "", goal=0, must=True),
        Row("redirects to anything but the URL that was given", mismatches, "", goal=0, must=True),
    )
    return Table(
        "real-input",
        "The whole real input",
        rows,
        (
            f"Through CloudFront, {CLIENTS} clients at once; worker processes have started before the clock runs.",
            "The clicks of the redirects are counted meanwhile.",
        ),
    )
