"""An app that was not written here (stock constructs, two stages, nested stacks, no workload) is reviewed whole."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.workbench.foreign import shop
from workbench import catalogue
from workbench.assembly import NESTED_STACK, Assembly, Resource
from workbench.cli import run
from workbench.diagram import mermaid
from workbench.review import registry
from workbench.review.capacity import limits, undeclared
from workbench.review.closure import missing
from workbench.review.cost import Bill, price
from workbench.review.coverage import coverage
from workbench.review.free import Free
from workbench.review.links import Links
from workbench.review.reachability import INTERNET, Reachability, Way
from workbench.review.room import NOT_DECLARED, Context

# Types with a room that may have no line of their own, and what pays instead.
PAID_ELSEWHERE = {
    "AWS::ApiGateway::Stage": "the API's requests; a cache, which this one has not",
    "AWS::ApiGatewayV2::Stage": "the API's requests",
    "AWS::Cognito::UserPoolClient": "the pool's users; tokens for machines, which this one gives none",
    "AWS::ECS::Cluster": "the service's tasks; Container Insights, which is off",
    "AWS::ECS::TaskDefinition": "the service that runs it",
    "AWS::Events::Rule": "rules on a schedule are free",
}


# What CDK's command line asks for besides, so that paths and assets stand in the template.
WRITTEN_BY_THE_COMMAND_LINE = ("aws:cdk:enable-path-metadata", "aws:cdk:enable-asset-metadata")


def _synthesize(output: Path, *context: str) -> Path:
    app = catalogue.new_app(output)
    for name in context:
        app.node.set_context(name, True)
    shop.place(app)
    app.synth()
    return output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app, synthesized once."""
    return _synthesize(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="module")
def assembly(folder: Path) -> Assembly:
    return Assembly.load(folder)


@pytest.fixture(scope="module")
def bill(assembly: Assembly) -> Bill:
    return price(assembly)


@pytest.fixture(scope="module")
def named(assembly: Assembly) -> dict[str, Resource]:
    """The resources by the names that reports give them."""
    context = Context(assembly, registry.rooms(), Decimal(1))
    return {context.name_of(each): each for each in assembly.resources}


def test_both_stages_and_what_is_nested_in_them_are_read(
    assembly: Assembly, named: dict[str, Resource]
) -> None:
    assert sorted(stack.name for stack in assembly.stacks) == [
        f"{stage}-{stack}" for stage in shop.STAGES for stack in ("Network", "Orders", "Site", "Web")
    ]
    assert {stack.name for stack in assembly.every_stack if stack.parent} == {
        f"{stage}-{stack}" for stage in shop.STAGES for stack in ("Orders/Parcelling", "Web/Data")
    }
    assert len(named) == len(list(assembly.resources)), "two resources have one name"
    kinds = {stage: Counter(_types_of(named, stage)) for stage in shop.STAGES}
    assert kinds["Beta"] == kinds["Prod"]
    assert kinds["Beta"]["AWS::RDS::DBInstance"] == 1


def _types_of(named: dict[str, Resource], stage: str) -> list[str]:
    return [each.type for name, each in named.items() if name.startswith(f"{stage}-")]


def test_every_resource_is_priced_free_for_a_reason_or_named(bill: Bill, named: dict[str, Resource]) -> None:
    accounted = {line.resource for line in bill.lines} | {each.resource for each in bill.unpriced}
    silent = {
        each.type
        for name, each in named.items()
        if name not in accounted and not isinstance(registry.class_of(each.type), Free)
    }
    assert silent <= PAID_ELSEWHERE.keys()


def test_nothing_of_it_stops_a_bill(assembly: Assembly) -> None:
    assert {each.state for each in coverage(assembly)} == {"priced", "free", "usage undeclared"}


def test_nothing_is_silently_zero(bill: Bill) -> None:
    """The app declares no workload: a line is paid for existing, or says which usage it lacks."""
    for line in bill.lines:
        if line.declared:
            assert line.monthly_usd > 0, line
        else:
            assert line.formula.startswith(NOT_DECLARED), line
            assert line.quantity == 0, line
    assert any(not line.declared for line in bill.lines)


def test_the_idle_floor_is_what_stands_there(bill: Bill) -> None:
    hours = 730
    network = 2 * Decimal("0.045") * hours  # a NAT gateway in each of two zones
    addresses = (2 + 2) * Decimal("0.005") * hours  # theirs, and those of the load balancer
    balancer = Decimal("0.0225") * hours
    task = (Decimal("0.5") * Decimal("0.04048") + Decimal("0.004445")) * hours  # ½ vCPU and 1 GB on x86
    database = Decimal("0.016") * hours + 100 * Decimal("0.115")  # a db.t4g.micro with 100 GB of gp2
    secret = Decimal("0.40")
    polls = 5 * hours * 3_600 // 20 * Decimal("0.0000004")  # five pollers, a call each 20 s
    each_stage = network + addresses + balancer + database + secret + polls
    expected = len(shop.STAGES) * each_stage + sum(shop.STAGES.values()) * task
    assert expected == Decimal("295.19575")
    assert bill.idle_usd == bill.monthly_usd == expected


def test_what_the_app_declares_nothing_of_is_told_apart_from_what_holds(assembly: Assembly) -> None:
    assert undeclared(assembly)
    for each in limits(assembly):
        assert each.load <= each.quota, each


@pytest.mark.parametrize("stage", shop.STAGES)
def test_links_cross_stacks_and_nesting_but_never_stages(
    assembly: Assembly, named: dict[str, Resource], stage: str
) -> None:
    links = Links(assembly)
    worker, queue = named[f"{stage}-Orders/Parcelling/Worker"], named[f"{stage}-Orders/Parcels"]
    [mapping] = [
        each for each in worker.stack.resources.values() if each.type == "AWS::Lambda::EventSourceMapping"
    ]
    assert links.target(mapping, mapping.properties["EventSourceArn"]) is queue
    assert links.target(mapping, mapping.properties["FunctionName"]) is worker
    balancer = named[f"{stage}-Web/Service/LB"]
    subnets = [links.target(balancer, each) for each in balancer.properties["Subnets"]]
    assert subnets == [named[f"{stage}-Network/Vpc/PublicSubnet{zone}/Subnet"] for zone in (1, 2)]
    database = named[f"{stage}-Web/Data/Database"]
    group = links.target(database, database.properties["DBSubnetGroupName"])
    assert group is not None
    held = [links.target(group, each) for each in group.properties["SubnetIds"]]
    assert held == [named[f"{stage}-Network/Vpc/PrivateSubnet{zone}/Subnet"] for zone in (1, 2)]
    [sent] = [
        output["Value"]
        for output in queue.stack.template["Outputs"].values()
        if "Sent" in str(output["Value"])
    ]
    assert links.mentions(queue, sent) == [named[f"{stage}-Orders/Parcelling/Sent"]]


def test_the_internet_reaches_the_load_balancer_alone(assembly: Assembly) -> None:
    assert set(Reachability(assembly).from_outside()) == {Way(INTERNET, "Service/LB", "80")}


def test_what_is_wired_across_nesting_is_granted(assembly: Assembly) -> None:
    """CDK has no mapping wait for the policy of its function, and that is all there is to find."""
    assert {str(each).partition(": ")[2] for each in missing(assembly)} == {
        f"it does not wait for the policy that grants sqs:{call}"
        for call in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    }


def test_the_diagram_has_the_worker_of_the_nested_stack(assembly: Assembly) -> None:
    drawn = mermaid(assembly)
    assert 'Parcels -->|"batches of 10"| Parcelling_Worker\n' in drawn
    assert 'Parcelling_Worker_2 -->|"publishes"| Parcelling_Sent_2\n' in drawn


def test_it_is_the_same_app_when_cdks_command_line_synthesizes_it(
    tmp_path: Path, bill: Bill, named: dict[str, Resource]
) -> None:
    """Nested templates are then found by their metadata, and names come from the template."""
    written = Assembly.load(_synthesize(tmp_path, *WRITTEN_BY_THE_COMMAND_LINE))
    held = [each for each in written.resources if each.type == NESTED_STACK]
    assert len(held) == 2 * len(shop.STAGES)
    assert all("aws:cdk:path" in each.metadata and "aws:asset:path" in each.metadata for each in held)
    context = Context(written, registry.rooms(), Decimal(1))
    assert [context.name_of(each) for each in written.resources] == list(named)
    assert price(written).lines == bill.lines


@pytest.mark.parametrize("command", ["cost", "capacity", "diagram"])
def test_the_command_line_reviews_it(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--assembly", str(folder)]) == 0
    captured = capsys.readouterr()
    assert captured.out
    assert captured.err == ""


def test_the_table_says_what_depends_on_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "--assembly", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "depends on usage" in shown
    assert "$295.20" in shown
