"""The price book explained, and renewed from price files, which are small ones of the same shape, made here."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from tests.conftest import ROOT
from tests.workbench.price_samples import COLUMNS, PUBLISHED, VERSION, Line, price_file, save, save_all_of
from workbench.cli import prices as command
from workbench.cli import run
from workbench.errors import Misuse
from workbench.price_files import origins
from workbench.price_files.books import BookFile, as_text
from workbench.price_files.explanation import explain
from workbench.price_files.offers import Offer, UnreadablePriceFile
from workbench.price_files.origins import Aws, Folder
from workbench.price_files.refresh import Options, Report, refresh
from workbench.price_files.selection import Finding, Selected, candidates, choose
from workbench.price_files.selectors import PATH, OfferFile, Selectors, Wanted
from workbench.review.prices import FOLDER, HOME, PriceBook, Tier, known_regions

pytestmark = pytest.mark.fast

SELECTORS = Selectors.load()
BOOK = PriceBook.load()
MATCHING = {key: SELECTORS.matching(key) for key in BOOK}
TODAY = date(2026, 12, 2)
MACHINE = OfferFile("AmazonEC2", HOME)
SMALL = Line("AAA", "BoxUsage:t4g.small", "0.0168000000", operation="RunInstances")


# What selects what


@pytest.mark.parametrize("selector", SELECTORS.all, ids=lambda selector: selector.key)
def test_a_selector_is_of_a_price_that_the_book_has_and_says_where_it_was_read(selector: Any) -> None:
    assert any(selector is each for found in MATCHING.values() for each in found)
    assert selector.source.split()
    assert set(selector.source.split()) <= set(SELECTORS.sources)
    assert selector.unit in SELECTORS.units


def test_no_price_has_two_selectors() -> None:
    assert [key for key, found in MATCHING.items() if len(found) > 1] == []


def test_most_of_the_book_has_a_selector_and_the_file_says_that_none_was_tried() -> None:
    assert sum(1 for found in MATCHING.values() if found) >= 700
    assert "No selector was tried against the real files" in json.loads(PATH.read_text())["about"]


def test_every_region_has_each_prefix() -> None:
    for name, by_region in SELECTORS.prefixes.items():
        assert set(by_region) == set(known_regions()), name


@pytest.mark.parametrize(
    ("key", "region", "usage_types"),
    [
        ("ec2.linux.t4g.small", "us-east-1", ["BoxUsage:t4g.small"]),
        ("ec2.linux.t4g.small", "eu-west-1", ["EU-BoxUsage:t4g.small", "EUW1-BoxUsage:t4g.small"]),
        ("ec2.linux.t4g.small", "ap-south-1", ["APS3-BoxUsage:t4g.small"]),
        ("secretsmanager.secret", "us-east-1", ["USE1-AWSSecretsManager-Secrets"]),
        ("efs.storage.standard", "us-east-1", ["TimedStorage-ByteHrs", "USE1-TimedStorage-ByteHrs"]),
        ("kms.requests", "eu-west-1", ["eu-west-1-KMS-Requests"]),
        ("cloudfront.egress.za_me", "us-east-1", ["ZA-DataTransfer-Out-Bytes"]),
        ("sqs.standard", "us-east-1", ["Requests-RBP"]),
        ("sqs.standard", "ap-south-1", ["APS3-Requests-Tier1"]),
        (
            "rds.postgresql.single_az.db.r6g.2xlarge",
            "us-east-1",
            ["InstanceUsage:db.r6g.2xlarge", "InstanceUsage:db.r6g.2xl"],
        ),
    ],
)
def test_a_usage_type_is_spelled_as_aws_spells_it_in_the_region(
    key: str, region: str, usage_types: list[str]
) -> None:
    assert list(_wanted(key, region).usage_types) == usage_types


def test_what_no_region_has_is_in_the_file_of_its_own() -> None:
    assert _wanted("route53.hosted_zone").file == OfferFile("AmazonRoute53", "aws-other")


def test_a_pattern_is_not_for_a_word_that_aws_has_none_for() -> None:
    assert SELECTORS.matching("cloudfront.egress.us")
    assert SELECTORS.matching("cloudfront.egress.moon") == []


def test_a_price_may_have_a_selector_in_one_region_alone() -> None:
    assert SELECTORS.wanted("sqs.fair_queue_surcharge", "us-east-1") is not None
    assert SELECTORS.wanted("sqs.fair_queue_surcharge", "eu-west-1") is None


def test_a_region_whose_prefix_nobody_knows_is_one_line() -> None:
    with pytest.raises(Misuse, match=r"'mars-1'.*prefixes\.plain.*selectors\.json"):
        SELECTORS.wanted("ec2.linux.t4g.small", "mars-1")


def _wanted(key: str, region: str = HOME) -> Wanted:
    wanted = SELECTORS.wanted(key, region)
    assert wanted is not None
    return wanted


# One SKU, and its tiers


def _chosen(wanted: Wanted, *lines: Line, today: Sequence[Tier] = ()) -> Selected | Finding:
    offer = Offer(price_file(wanted.file.offer, lines).splitlines(keepends=True), "a sample")
    return choose(wanted, candidates(offer, [wanted])[wanted.key], today)


def _selected(wanted: Wanted, *lines: Line, today: Sequence[Tier] = ()) -> Selected:
    chosen = _chosen(wanted, *lines, today=today)
    assert isinstance(chosen, Selected), chosen
    return chosen


def _why(wanted: Wanted, *lines: Line) -> str:
    chosen = _chosen(wanted, *lines)
    assert isinstance(chosen, Finding), chosen
    assert chosen.keys == (wanted.key,)
    return chosen.why


def test_the_one_sku_of_usage_type_and_operation_is_the_price() -> None:
    windows = replace(SMALL, sku="BBB", price="0.0252", operation="RunInstances:0002")
    dedicated = replace(SMALL, sku="CCC", usage_type="DedicatedUsage:t4g.small")
    chosen = _selected(_wanted("ec2.linux.t4g.small"), windows, SMALL, dedicated)
    assert chosen == Selected("ec2.linux.t4g.small", "AAA", (Tier(None, Decimal("0.0168")),))


def test_no_sku_is_a_finding_that_names_what_was_looked_for() -> None:
    why = _why(_wanted("ec2.linux.t4g.small"), replace(SMALL, operation="RunInstances:0002"))
    assert why == ("no SKU has usage type BoxUsage:t4g.small, operation RunInstances in AmazonEC2-us-east-1")


def test_two_skus_are_a_finding_that_names_both() -> None:
    why = _why(_wanted("ec2.linux.t4g.small"), SMALL, replace(SMALL, sku="BBB", price="0.02"))
    assert why.startswith("2 SKUs have usage type BoxUsage:t4g.small")
    assert "AAA (BoxUsage:t4g.small, operation RunInstances)" in why
    assert "BBB (BoxUsage:t4g.small, operation RunInstances)" in why


def test_two_skus_are_a_finding_though_they_cost_the_same() -> None:
    assert _why(_wanted("ec2.linux.t4g.small"), SMALL, replace(SMALL, sku="BBB")).startswith("2 SKUs")


def test_two_spellings_of_a_region_that_both_exist_are_a_finding() -> None:
    zone = Line("AAA", "TimedStorage-ByteHrs", "0.3", "GB-Mo")
    why = _why(
        _wanted("efs.storage.standard"),
        zone,
        replace(zone, sku="BBB", usage_type="USE1-TimedStorage-ByteHrs"),
    )
    assert why.startswith("2 SKUs")


def test_an_empty_operation_is_not_any_operation() -> None:
    snapshot = Line("AAA", "EBS:SnapshotUsage", "0.05", "GB-Mo")
    other = replace(snapshot, sku="BBB", operation="CreateSnapshot")
    assert _selected(_wanted("ebs.snapshot"), snapshot, other).sku == "AAA"
    assert _why(_wanted("ebs.snapshot"), other).startswith("no SKU has")


def test_a_further_column_tells_two_skus_apart() -> None:
    read = Line("AAA", "USE1-ETDataAccess-Bytes", "0.03", "GB", others={"Access Type": "Read"})
    write = replace(read, sku="BBB", price="0.06", others={"Access Type": "Write"})
    assert _selected(_wanted("efs.elastic.read"), read, write).sku == "AAA"
    assert _selected(_wanted("efs.elastic.write"), read, write).sku == "BBB"


def test_reserved_terms_are_no_price() -> None:
    reserved = replace(SMALL, price="0.0106", term="Reserved")
    upfront = replace(SMALL, sku="BBB", price="93", unit="Quantity", term="Reserved")
    assert _selected(_wanted("ec2.linux.t4g.small"), reserved, SMALL, upfront).tiers == (
        Tier(None, Decimal("0.0168")),
    )


OUT = {"Transfer Type": "AWS Outbound"}
EGRESS = (
    Line("AAA", "DataTransfer-Out-Bytes", "0.0850", "GB", start="10240", end="51200", others=OUT),
    Line("AAA", "DataTransfer-Out-Bytes", "0.0900", "GB", end="10240", others=OUT),
    Line("AAA", "DataTransfer-Out-Bytes", "0.0700", "GB", start="51200", others=OUT),
)


def test_tiers_come_in_the_order_of_their_ranges() -> None:
    assert _selected(_wanted("transfer.internet_out"), *EGRESS).tiers == (
        Tier(Decimal(10240), Decimal("0.09")),
        Tier(Decimal(51200), Decimal("0.085")),
        Tier(None, Decimal("0.07")),
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (EGRESS[1:], "don't follow each other"),
        (EGRESS[:2], "has no last tier"),
        ((EGRESS[0], EGRESS[2]), "don't follow each other"),
        ((*EGRESS, replace(EGRESS[2], price="0.05")), "don't follow each other"),
    ],
    ids=["a gap", "cut short", "no first", "one twice"],
)
def test_tiers_that_leave_something_open_are_a_finding(lines: tuple[Line, ...], said: str) -> None:
    assert said in _why(_wanted("transfer.internet_out"), *lines)


STORAGE = (
    Line("AAA", "TimedStorage-ByteHrs", "0.0000000000", "GB-Mo", end="25"),
    Line("AAA", "TimedStorage-ByteHrs", "0.2500000000", "GB-Mo", start="25"),
)


def test_a_free_first_tier_is_told_and_not_taken_off() -> None:
    chosen = _selected(_wanted("dynamodb.storage"), *STORAGE, today=BOOK["dynamodb.storage"].tiers)
    assert chosen.tiers == (Tier(None, Decimal("0.25")),)
    assert chosen.free == 25


def test_a_free_first_tier_stays_where_the_book_has_one() -> None:
    kept = (Tier(Decimal(10), Decimal(0)), Tier(None, Decimal("0.3")))
    chosen = _selected(_wanted("dynamodb.storage"), *STORAGE, today=kept)
    assert chosen.tiers == (Tier(Decimal(25), Decimal(0)), Tier(None, Decimal("0.25")))
    assert chosen.free == 0


def test_what_is_free_throughout_costs_nothing() -> None:
    delivery = Line("AAA", "DeliveryAttempts-SQS", "0.0000000000", "Notifications")
    assert _selected(_wanted("sns.delivery.sqs"), delivery).tiers == (Tier(None, Decimal(0)),)


def test_nothing_where_the_book_has_a_price_is_a_finding() -> None:
    free = [replace(line, price="0") for line in STORAGE]
    today = BOOK["dynamodb.storage"].tiers
    for lines in (free, [replace(free[0], end="Inf")]):
        chosen = _chosen(_wanted("dynamodb.storage"), *lines, today=today)
        assert isinstance(chosen, Finding)
        assert "AAA costs nothing, and the book has a price" in chosen.why


def test_neighbouring_tiers_of_one_price_are_one() -> None:
    same = [replace(line, price="0.09") for line in EGRESS]
    assert _selected(_wanted("transfer.internet_out"), *same).tiers == (Tier(None, Decimal("0.09")),)


def test_a_unit_that_nobody_expects_is_a_finding() -> None:
    why = _why(_wanted("ec2.linux.t4g.small"), replace(SMALL, unit="1000 Hrs"))
    assert "AAA is priced per '1000 Hrs', which is not known as a word for hour" in why


def test_the_case_of_a_unit_is_no_matter() -> None:
    assert _selected(_wanted("ec2.linux.t4g.small"), replace(SMALL, unit="hrs")).sku == "AAA"


def test_a_unit_of_aws_may_hold_many_of_ours() -> None:
    # AWS sells gp3 throughput at 40.96 $ a GiB/s; 1,024 MiB/s are one of it: 0.04 $ each.
    throughput = Line("AAA", "EBS:VolumeP-Throughput.gp3", "40.9600000000", "GiBps-mo")
    assert _selected(_wanted("ebs.gp3.throughput"), throughput).tiers == (Tier(None, Decimal("0.04")),)


def test_another_currency_is_a_finding() -> None:
    assert "is priced in CNY" in _why(_wanted("ec2.linux.t4g.small"), replace(SMALL, currency="CNY"))


# Files that are none


WHOLE = price_file("AmazonEC2", [SMALL, replace(SMALL, sku="BBB", usage_type="BoxUsage:t4g.large")])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 0: it should say FormatVersion"),
        ("<html>\n<body>please sign in</body>\n", "line 1: it should say FormatVersion"),
        (WHOLE.replace('"OfferCode","AmazonEC2"\n', ""), "line 5: it should say OfferCode"),
        (WHOLE.replace("v1.0", "v2.0"), "its format is v2.0"),
        (WHOLE.replace(PUBLISHED, "yesterday "), "its publication date is 'yesterday "),
        (WHOLE.replace('"usageType"', '"usage"'), "line 6: its sixth line has no column usageType"),
        (WHOLE[: WHOLE.rindex("4g.large")], "line 8: unexpected end of data"),
        (WHOLE[: WHOLE.rindex(',"BoxUsage')] + "\n", f"line 8: 21 cells where the header has {len(COLUMNS)}"),
        (WHOLE.replace("0.0168000000", "n/a"), "line 7: PricePerUnit is 'n/a', which is no amount"),
        (WHOLE.replace("0.0168000000", "NaN"), "line 7: PricePerUnit is 'NaN'"),
        (WHOLE.replace('"0","Inf"', '"0","-5"'), "line 7: EndingRange is '-5'"),
        (WHOLE.replace("AmazonEC2", "AmazonS3", 1), "is the price file of AmazonS3, not of AmazonEC2"),
    ],
    ids=lambda value: "" if "\n" in value else value[:30],
)
def test_a_file_that_is_garbled_ends_the_renewal_with_nothing_written(
    text: str, said: str, books: Path, tmp_path: Path
) -> None:
    (tmp_path / "AmazonEC2-us-east-1.csv").write_text(text)
    before = (books / "us-east-1.json").read_bytes()
    with pytest.raises(UnreadablePriceFile, match=re.escape(said)) as raised:
        _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small")
    assert "the prices stay as they are" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (books / "us-east-1.json").read_bytes() == before


def test_a_compressed_copy_that_ends_early_is_said(books: Path, tmp_path: Path) -> None:
    whole = gzip.compress(WHOLE.encode())
    (tmp_path / "AmazonEC2-us-east-1.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(UnreadablePriceFile, match=r"could not read .*AmazonEC2-us-east-1\.csv\.gz: "):
        _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small")


def test_a_compressed_copy_is_read(books: Path, tmp_path: Path) -> None:
    (tmp_path / "AmazonEC2-us-east-1.csv.gz").write_bytes(gzip.compress(WHOLE.encode()))
    assert _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small").confirmed == ["ec2.linux.t4g.small"]


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="is no folder; --from takes one"):
        Folder(tmp_path / "nothing")


def test_a_large_file_is_never_held_in_memory(tmp_path: Path) -> None:
    many = 100_000
    head, line = price_file("AmazonEC2", [replace(SMALL, usage_type="BoxUsage:x")]).rsplit("\n", 2)[:2]
    path = tmp_path / "AmazonEC2-us-east-1.csv"
    with path.open("w") as file:
        file.write(f"{head}\n")
        for start in range(0, many, 1000):
            file.writelines(line.replace('"AAA"', f'"A{start + each}"') + "\n" for each in range(1000))
        file.write(price_file("AmazonEC2", [SMALL]).splitlines()[-1] + "\n")
    wanted = _wanted("ec2.linux.t4g.small")
    tracemalloc.start()
    try:
        with Folder(tmp_path).open(MACHINE, lambda *_: None) as lines:
            found = candidates(Offer(lines, "large"), [wanted])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [each.sku for each in found[wanted.key]] == ["AAA"]
    assert path.stat().st_size > 12_000_000
    assert peak < 6_000_000


# The network


def _absent(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


@contextmanager
def _served(answers: dict[str, Callable[[BaseHTTPRequestHandler], None]]) -> Iterator[str]:
    """The address of a server that answers paths so, and all others with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.get(self.path, _absent)(self)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _answer(
    body: bytes, announced: int | None = None, encoding: str = ""
) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) if announced is None else announced))
        if encoding:
            handler.send_header("Content-Encoding", encoding)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


MACHINES = "/AmazonEC2/current/us-east-1/index.csv"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_file_is_fetched_plain_or_compressed(encoding: str, books: Path) -> None:
    body = gzip.compress(WHOLE.encode()) if encoding else WHOLE.encode()
    seen: list[tuple[str, int, int | None]] = []
    with _served({MACHINES: _answer(body, encoding=encoding)}) as address:
        report = refresh(
            Aws(address),
            Options(HOME, books, TODAY, ("ec2.linux.t4g.small",)),
            SELECTORS,
            lambda name, count, total: seen.append((name, count, total)),
        )
    assert report.confirmed == ["ec2.linux.t4g.small"]
    assert seen[-1] == ("AmazonEC2-us-east-1", len(body), len(body))


def test_a_service_without_a_file_in_the_region_is_a_finding_and_the_rest_goes_on(books: Path) -> None:
    with _served({MACHINES: _answer(WHOLE.encode())}) as address:
        report = _refresh(books, Aws(address), "ec2.linux.t4g.small", "ecr.")
    assert report.confirmed == ["ec2.linux.t4g.small"]
    assert report.findings == [
        Finding(("ecr.storage",), f"there is no price file {address}/AmazonECR/current/us-east-1/index.csv")
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            _answer(WHOLE.encode(), announced=1_000_000),
            "could not read .*: it ended after 811 of 1,000,000 bytes",
        ),
        (
            _answer(gzip.compress(WHOLE.encode())[:-30], encoding="gzip"),
            "could not read .*: Compressed file ended before",
        ),
        (lambda handler: handler.send_error(500), "could not reach .*: Internal Server Error"),
    ],
    ids=["cut short", "compressed and cut short", "an error of AWS"],
)
def test_a_download_that_breaks_ends_the_renewal_with_nothing_written(
    answer: Callable[[BaseHTTPRequestHandler], None], said: str, books: Path
) -> None:
    before = (books / "us-east-1.json").read_bytes()
    with (
        _served({MACHINES: answer}) as address,
        pytest.raises(UnreadablePriceFile, match=rf"^{said}.*; the prices stay as they are$"),
    ):
        _refresh(books, Aws(address), "ec2.linux.t4g.small")
    assert (books / "us-east-1.json").read_bytes() == before


def test_nobody_listening_is_one_line(books: Path) -> None:
    with pytest.raises(
        UnreadablePriceFile, match=r"could not reach http://127\.0\.0\.1:1/AmazonEC2.*refused"
    ):
        _refresh(books, Aws("http://127.0.0.1:1"), "ec2.linux.t4g.small")


def test_offline_the_command_says_so_in_one_line_and_writes_nothing(
    books: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(origins, "urlopen", offline)
    before = (books / "us-east-1.json").read_bytes()
    assert run(["prices", "refresh", "lambda.requests.x86"]) == 2
    captured = capsys.readouterr()
    assert captured.err == (
        "blueprint: could not reach https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AWSLambda/current/"
        "us-east-1/index.csv: Name or service not known; the prices stay as they are\n"
    )
    assert captured.out == ""
    assert (books / "us-east-1.json").read_bytes() == before


# The book, renewed


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the books, which the command writes to."""
    folder = tmp_path / "books"
    folder.mkdir()
    for region in known_regions():
        shutil.copy(FOLDER / f"{region}.json", folder)
    monkeypatch.setattr(command, "FOLDER", folder)
    monkeypatch.setattr(command, "_today", lambda: TODAY)
    return folder


def _refresh(books: Path, origin: Any, *prefixes: str, region: str = HOME, dry: bool = False) -> Report:
    return refresh(origin, Options(region, books, TODAY, prefixes, dry), SELECTORS)


def _entry(books: Path, key: str, region: str = HOME) -> dict[str, Any]:
    [entry] = [each for each in BookFile.load(region, books).entries if each["key"] == key]
    return entry


DATED = {"source", "as_of", "as_of_approximate", "confirmed_as_of", "grade"}


@pytest.mark.parametrize("region", known_regions())
def test_the_prices_of_today_change_nothing_but_dates_and_sources(
    region: str, books: Path, tmp_path: Path
) -> None:
    path = books / f"{region}.json"
    before, text = BookFile.load(region, books), path.read_text()
    keys = save_all_of(before, region, SELECTORS, tmp_path)
    report = _refresh(books, Folder(tmp_path), region=region)
    assert (report.changes, report.findings) == ([], [])
    assert set(report.confirmed) == keys
    assert len(report.confirmed) + len(report.unselected) == len(before.entries)
    after = BookFile.load(region, books)
    for old, new in zip(before.entries, after.entries, strict=True):
        undated = {name: value for name, value in old.items() if name not in DATED}
        assert {name: value for name, value in new.items() if name not in DATED} == undated
        assert list(undated) == [name for name in new if name not in DATED]
        if old["key"] in keys:
            assert new["grade"] == "A"
            assert new["as_of"] == PUBLISHED
            assert re.fullmatch(
                rf"AWS price file \w+ [\w-]+ version {VERSION}, SKU SKU\d{{5}}", new["source"]
            )
            assert not {"as_of_approximate", "confirmed_as_of"} & set(new)
        else:
            assert new == old
    dated = re.compile(rf'\s+"({"|".join((*DATED, "compiled_on"))})": .*')
    assert [line for line in path.read_text().splitlines() if not dated.fullmatch(line)] == [
        line for line in text.splitlines() if not dated.fullmatch(line)
    ]


@pytest.mark.parametrize("region", known_regions())
def test_a_book_is_written_as_it_is_read(region: str) -> None:
    assert as_text(BookFile.load(region, FOLDER).content) == (FOLDER / f"{region}.json").read_text()


def test_a_price_that_changed_is_written_with_all_else_of_it_kept(books: Path, tmp_path: Path) -> None:
    save(tmp_path, OfferFile("AWSDataTransfer", HOME), [replace(line, price="0.08") for line in EGRESS])
    before = _entry(books, "transfer.internet_out")
    report = _refresh(books, Folder(tmp_path), "transfer.internet_out")
    [change] = report.changes
    assert change.new == (Tier(None, Decimal("0.08")),)
    # 0.09 → 0.08 is 11.1 % less.
    assert change.percent is not None
    assert round(change.percent, 1) == Decimal("-11.1")
    kept = {name: before[name] for name in ("key", "service", "unit", "free_tier", "note")}
    assert _entry(books, "transfer.internet_out") == kept | {
        "price": Decimal("0.08"),
        "source": f"AWS price file AWSDataTransfer us-east-1 version {VERSION}, SKU AAA",
        "as_of": PUBLISHED,
        "grade": "A",
    }


def test_tiers_may_come_where_one_price_was(books: Path, tmp_path: Path) -> None:
    lines = [
        replace(SMALL, price="0.0200000000", end="1000"),
        replace(SMALL, price="0.0000001000", start="1000"),
    ]
    save(tmp_path, MACHINE, lines)
    _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small")
    text = (books / "us-east-1.json").read_text()
    assert '   "tiers": [\n    {\n     "up_to": 1000,\n     "price": 0.02\n    },\n' in text
    assert '     "up_to": null,\n     "price": 0.0000001\n' in text


def test_a_price_with_a_finding_stays_and_the_others_are_renewed(books: Path, tmp_path: Path) -> None:
    large = replace(SMALL, sku="BBB", usage_type="BoxUsage:t4g.large", price="0.07")
    save(tmp_path, MACHINE, [SMALL, replace(SMALL, sku="CCC"), large])
    before = _entry(books, "ec2.linux.t4g.small")
    report = _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small", "ec2.linux.t4g.large")
    assert [finding.keys for finding in report.findings] == [("ec2.linux.t4g.small",)]
    assert _entry(books, "ec2.linux.t4g.small") == before
    assert _entry(books, "ec2.linux.t4g.large")["price"] == Decimal("0.07")


def test_a_book_is_of_today_once_it_was_renewed_as_a_whole(books: Path, tmp_path: Path) -> None:
    save(tmp_path, MACHINE, [SMALL])
    _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small")
    assert BookFile.load(HOME, books).content["compiled_on"] == BOOK.as_of
    _refresh(books, Folder(tmp_path))
    assert BookFile.load(HOME, books).content["compiled_on"] == TODAY.isoformat()


def test_a_dry_run_says_the_same_and_writes_nothing(books: Path, tmp_path: Path) -> None:
    save(tmp_path, MACHINE, [replace(SMALL, price="0.02")])
    before = (books / "us-east-1.json").read_bytes()
    report = _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small", dry=True)
    assert [change.key for change in report.changes] == ["ec2.linux.t4g.small"]
    assert not report.is_written
    assert (books / "us-east-1.json").read_bytes() == before


def test_another_region_is_renewed_from_its_own_file(books: Path, tmp_path: Path) -> None:
    file = OfferFile("AWSLambda", "eu-west-1")
    save(tmp_path, file, [Line("AAA", "EU-Request", "0.0000003", "Requests")])
    home = (books / "us-east-1.json").read_bytes()
    report = _refresh(books, Folder(tmp_path), "lambda.requests.x86", region="eu-west-1")
    assert [change.key for change in report.changes] == ["lambda.requests.x86"]
    assert _entry(books, "lambda.requests.x86", "eu-west-1")["price"] == Decimal("0.0000003")
    assert (books / "us-east-1.json").read_bytes() == home


def test_a_prefix_that_no_key_has_is_one_line_with_the_nearest(books: Path, tmp_path: Path) -> None:
    with pytest.raises(
        Misuse, match=r"no key of us-east-1\.json begins with 'lambda\.rquests.*lambda\.requests"
    ):
        _refresh(books, Folder(tmp_path), "lambda.rquests.x86")


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_write_that_is_interrupted_leaves_the_old_book_and_nothing_beside_it(
    ends: BaseException, books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, MACHINE, [replace(SMALL, price="0.02")])
    before = (books / "us-east-1.json").read_bytes()

    def end(*_: Any) -> None:
        raise ends

    monkeypatch.setattr(os, "replace", end)
    with pytest.raises(type(ends)):
        _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small")
    assert (books / "us-east-1.json").read_bytes() == before
    assert sorted(each.name for each in books.iterdir()) == [
        f"{region}.json" for region in sorted(known_regions())
    ]


def test_a_download_that_is_interrupted_leaves_the_old_book(books: Path, tmp_path: Path) -> None:
    save(tmp_path, MACHINE, [replace(SMALL, price="0.02")])
    before = (books / "us-east-1.json").read_bytes()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refresh(Folder(tmp_path), Options(HOME, books, TODAY, ("ec2.linux.t4g.small",)), SELECTORS, interrupt)
    assert (books / "us-east-1.json").read_bytes() == before


def test_a_book_keeps_who_may_read_it(books: Path, tmp_path: Path) -> None:
    save(tmp_path, MACHINE, [replace(SMALL, price="0.02")])
    (books / "us-east-1.json").chmod(0o644)
    _refresh(books, Folder(tmp_path), "ec2.linux.t4g.small")
    assert (books / "us-east-1.json").stat().st_mode & 0o777 == 0o644


# The command


def test_the_command_tells_what_changed_and_ends_with_one_where_something_was_found(
    books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, MACHINE, [replace(SMALL, price="0.0210000000")])
    arguments = ["prices", "refresh", "ec2.linux.t4g", "--from", str(tmp_path)]
    assert run(arguments) == 1
    out = capsys.readouterr().out
    # 0.0168 → 0.021 is a quarter more.
    assert re.search(r"ec2\.linux\.t4g\.small +\$0\.0168 +\$0\.021 +\+25\.0", out)
    assert "kept: ec2.linux.t4g.large: no SKU has usage type BoxUsage:t4g.large" in out
    assert "us-east-1: 1 changed, 0 confirmed" in out
    assert out.endswith("written\n")
    assert run(["prices", "refresh", "ec2.linux.t4g.small", "--from", str(tmp_path)]) == 0
    assert "0 changed, 1 confirmed, 0 kept" in capsys.readouterr().out


def test_the_command_gives_the_report_as_json(
    books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, OfferFile("AmazonDynamoDB", HOME), STORAGE)
    arguments = ["prices", "refresh", "dynamodb.storage", "--dry-run", "--json", "--from", str(tmp_path)]
    assert run(arguments) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["is_written"] is False
    assert document["files"] == [
        {"offer": "AmazonDynamoDB", "file": HOME, "version": VERSION, "published": PUBLISHED}
    ]
    assert document["confirmed"] == ["dynamodb.storage"]
    assert document["free"] == {"dynamodb.storage": "25"}
    assert [finding["keys"] for finding in document["findings"]] == [["dynamodb.storage_ia"]]


def test_a_region_without_a_book_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["refresh"], ["list"], ["show", "kms.key"]):
        assert run(["prices", *arguments, "--region", "mars-1"]) == 2
        error = capsys.readouterr().err
        assert "mars-1" in error
        assert len(error.splitlines()) == 1


def test_show_gives_the_tiers_the_age_and_how_it_is_renewed(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prices", "show", "transfer.internet_out"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for said in (
        "up to 10,240 a month $0.09",
        "above $0.05",
        "never taken off this price",
        "as of 2026-09-24, 69 days ago",  # to 2 December: 6 + 31 + 30 + 2
        "grade B: a dated reading of an AWS price file",
        "usage type DataTransfer-Out-Bytes, Transfer Type AWS Outbound in AWSDataTransfer-us-east-1",
    ):
        assert said in out
    assert "note: it was last seen" not in out


def test_show_tells_the_price_of_other_regions_or_that_it_is_not_known(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prices", "show", "dynamodb.storage"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "ap-south-1 $0.285" in out
    assert "eu-west-1 $0.283" in out
    assert run(["prices", "show", "ec2.linux.t4g.small"]) == 0
    assert "eu-west-1 not known in eu-west-1" in " ".join(capsys.readouterr().out.split())
    assert run(["prices", "show", "dynamodb.storage", "--region", "eu-west-1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "price $0.283" in out
    assert "us-east-1 $0.25" in out
    assert "EU-TimedStorage-ByteHrs or EUW1-TimedStorage-ByteHrs" in out


def test_show_says_plainly_that_a_price_is_from_memory(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prices", "show", "acm.exportable_public"]) == 0
    out = capsys.readouterr().out
    assert "D: memory" in out
    assert "note: it is from memory: nobody has read it anywhere" in out
    assert "no selector" in out


def test_show_warns_of_a_price_that_nobody_saw_for_half_a_year() -> None:
    price = BOOK["acm.private_ca"]
    assert (price.as_of, price.confirmed_as_of) == ("2024-07-01", "")
    # 2024-12-28 is 180 days after 2024-07-01.
    assert explain("acm.private_ca", date(2024, 12, 28)).warnings == ()
    [warning] = explain("acm.private_ca", date(2024, 12, 29)).warnings
    assert warning == "it was last seen 181 days ago, which is more than 180"


def test_a_confirmation_keeps_a_price_young() -> None:
    price = BOOK["lambda.duration.x86"]
    assert (price.as_of, price.confirmed_as_of) == ("2025-10-30", "2026-10-01")
    explanation = explain("lambda.duration.x86", date(2026, 10, 11))
    assert (explanation.age_days, explanation.seen_days) == (346, 10)
    assert explanation.warnings == ()


def test_show_as_json_has_everything(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "show", "cloudfront.egress.us", "--region", "eu-west-1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["is_global"] is True
    assert document["tiers"][0] == {"up_to": "10240", "price": "0.085"}
    assert document["elsewhere"][HOME] == document["tiers"]
    assert document["selector"]["file"] == "aws-other"
    assert document["warnings"] == []


def test_what_holds_everywhere_is_renewed_from_one_file(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prices", "show", "lambda.edge.requests", "--region", "eu-west-1", "--json"]) == 0
    selector = json.loads(capsys.readouterr().out)["selector"]
    assert (selector["file"], selector["usage_types"]) == (HOME, ["Lambda-Edge-Request"])


def test_a_key_that_is_none_is_one_line_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "show", "lambda.duration.x68"]) == 2
    captured = capsys.readouterr()
    assert "did you mean lambda.duration.x86" in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""
    assert run(["prices", "show", "zzz"]) == 2
    assert "`blueprint prices list` shows them all" in capsys.readouterr().err
    assert run(["prices", "show", "ec2.linux.t4g.small", "--region", "eu-west-1"]) == 2
    assert "is not known in eu-west-1, only in us-east-1" in capsys.readouterr().err


def test_the_list_is_of_a_prefix_and_says_what_is_renewed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "list", "kms."]) == 0
    out = capsys.readouterr().out
    assert re.search(r"kms\.key +\$1 +key-month +A +[\d-]+ +awskms", out)
    assert run(["prices", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["key"] for each in document] == sorted(BOOK)
    assert sum(1 for each in document if each["has_selector"]) >= 700
    assert run(["prices", "list", "zzz"]) == 2
    assert "begins with 'zzz'" in capsys.readouterr().err


def test_the_first_page_names_the_commands() -> None:
    page = (ROOT / "README.md").read_text()
    for name in ("list", "show", "refresh"):
        assert f"prices {name}" in page
        assert run(["prices", name, "--help"]) == 0
