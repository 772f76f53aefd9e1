"""What every blueprint keeps, written once; CONTRIBUTING.md says the same in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from tests.conftest import ROOT, SIZES, Played, Synthesized
from tests.policies import findings
from workbench import catalogue, pages, plots
from workbench.assembly import Assembly, Resource, Stack
from workbench.blueprint import Blueprint, Choice, Stage
from workbench.diagram import mermaid
from workbench.dryrun.mutation import prove
from workbench.dryrun.pipeline import Options, dry_run
from workbench.dryrun.report import Report
from workbench.review import capacity, closure, cost, curve
from workbench.review.leftovers import leftovers
from workbench.review.reachability import Reachability, table

Golden = Callable[[Path, str], None]
# What may be granted on `*`, with why: "Actions, resources, and condition keys for AWS services" has the rest.
TAKE_NO_RESOURCE = {
    "ec2:AssignPrivateIpAddresses": "Lambda's interfaces in a network, which are not there yet",
    "ec2:UnassignPrivateIpAddresses": "the same",
    "ec2:CreateNetworkInterface": "Lambda's pollers in a network; the interface is not there yet",
    "ec2:DeleteNetworkInterface": "the same, and its name is not known when the policy is written",
    "ec2:DescribeNetworkInterfaces": "EC2's descriptions take no resource",
    "ec2:DescribeSecurityGroups": "EC2's descriptions take no resource",
    "ec2:DescribeSubnets": "EC2's descriptions take no resource",
    "ec2:DescribeVpcs": "EC2's descriptions take no resource",
    "dynamodb:ListStreams": "it takes no resource; what it tells are the streams' names",
    "kafka:GetBootstrapBrokers": "it takes no resource; what it tells are the brokers' names",
    "ecr:GetAuthorizationToken": "it is asked of the registry",
    "ssm:UpdateInstanceInformation": "Session Manager's agent, of an instance that is not there yet",
    "ssmmessages:CreateControlChannel": "Session Manager's channels take no resource",
    "ssmmessages:CreateDataChannel": "Session Manager's channels take no resource",
    "ssmmessages:OpenControlChannel": "Session Manager's channels take no resource",
    "ssmmessages:OpenDataChannel": "Session Manager's channels take no resource",
    "xray:PutTelemetryRecords": "X-Ray takes no resource",
    "xray:PutTraceSegments": "X-Ray takes no resource",
}
# What names what others made; and a topic of Kafka, whose name is what its cluster knows it by.
NAMING = (
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::MSK::Topic",
)
# Of the grants, as many are taken away and the scenario played without: docs/decisions/15.
REPLAYS = 1
FEWEST, MOST = 100, 10**8  # users: between them, what a choice costs may cross, and a system break
SECTIONS = (
    "The problem",
    "The shape",
    "When things fail",
    "Try it",
    "What it costs",
    "Where it breaks",
    "Trade-offs",
    "Limits",
    "Make it yours",
)


# 1. It synthesizes without network, credentials or Docker, at every size and both stages.


@pytest.mark.parametrize("stage", ["sandbox", "production"])
@pytest.mark.parametrize("users", SIZES)
def test_it_synthesizes_at_every_size(
    blueprint: Blueprint, users: int, stage: Stage, synthesized: Synthesized, no_credentials: None
) -> None:
    assembly = synthesized(blueprint.name, users, stage)
    assert list(assembly.resources)
    for stack in assembly.stacks:
        said = stack.metadata["Workload"]
        assert said == {
            "blueprint": blueprint.name,
            "users": users,
            "stage": stage,
            "requests_per_month": said["requests_per_month"],
        }
        assert Decimal(said["requests_per_month"]) == blueprint.workload.at(users).requests().value


def test_copies_and_stages_live_side_by_side(blueprint: Blueprint, tmp_path: Path) -> None:
    names: list[str] = []
    for stage in ("sandbox", "production"):
        for copy in ("", "alice"):
            folder = tmp_path / f"{stage}-{copy}"
            app = catalogue.new_app(folder)
            if copy:
                app.node.set_context("copy", copy)
            catalogue.place(app, blueprint, 1_000, catalogue.stage_named(stage))
            app.synth()
            names += [stack.name for stack in Assembly.load(folder).stacks]
    assert len(names) == len(set(names))


# 2. The template equals its snapshot.


@pytest.mark.golden
def test_the_template_equals_its_snapshot(
    blueprint: Blueprint, synthesized: Synthesized, golden: Golden
) -> None:
    for stack in synthesized(blueprint.name, 1_000, "production").stacks:
        golden(_goldens(blueprint) / f"{stack.name}.template.json", _normalised(stack))


# 3. It is clean under CDK's own validation, cfn-lint and cdk-nag, and every acknowledgement matched a finding.


def test_it_is_clean_under_cdk_validation_and_nag(gated: dict[str, Any]) -> None:
    findings = [
        f"{violation['ruleName']}: {construct.get('constructPath')}"
        for plugin in gated["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
    assert findings == []


def test_every_acknowledgement_has_a_reason_and_matched_a_finding(
    gated: dict[str, Any], acknowledged: set[tuple[str, str]]
) -> None:
    assert acknowledged, "no acknowledgement was found: the test reads the wrong thing"
    matched = {
        (violation["ruleName"], construct["constructPath"])
        for plugin in gated["pluginReports"]
        for violation in plugin.get("suppressedViolations", [])
        for construct in violation["violatingConstructs"]
    }
    idle = [
        (rule, path)
        for rule, path in acknowledged
        if not any(found == rule and place.startswith(path) for found, place in matched)
    ]
    assert idle == [], "these acknowledge nothing: remove them"


def test_it_is_clean_under_cfn_lint(blueprint: Blueprint, synthesized: Synthesized) -> None:
    from cfnlint.api import ManualArgs, lint

    # Not the informational rules; and CDK always writes the dependency on a role beside the reference to it.
    rules = ManualArgs(regions=["us-east-1", "eu-west-1", "ap-south-1"], ignore_checks=["I", "W3005"])
    for stage in ("sandbox", "production"):
        for stack in synthesized(blueprint.name, 1_000, catalogue.stage_named(stage)).stacks:
            assert [str(match) for match in lint(stack.template_file.read_text(), config=rules)] == []


# 4. Its scenario passes on the offline AWS with IAM enforced, and destroying the sandbox leaves nothing.


def test_its_scenario_passes_offline(blueprint: Blueprint, played: Played) -> None:
    report = played(blueprint.name)
    assert _not_passed(report) == [], "\n".join(report.log)
    assert report.steps
    assert report.skipped == []


def test_it_is_deployed_as_it_goes_to_aws(blueprint: Blueprint, played: Played) -> None:
    """Three resources of four of any one blueprint, and nineteen of twenty of the catalogue."""
    report = played(blueprint.name)
    assert report.deployed >= 0.75 * report.total
    reports = [played(name) for name in catalogue.names()]
    assert sum(each.deployed for each in reports) >= 0.95 * sum(each.total for each in reports)


def test_no_call_is_refused_that_the_scenario_did_not_expect(blueprint: Blueprint, played: Played) -> None:
    assert played(blueprint.name).denied == []


def test_every_grant_is_used(blueprint: Blueprint, played: Played) -> None:
    assert played(blueprint.name).unused_grants == []


def test_every_grant_is_needed(blueprint: Blueprint) -> None:
    """Some are taken away once, and the scenario notices; of the others its log shows a call that needs them.

    `blueprint iam` takes each away.
    """
    proof = prove(blueprint, replays=REPLAYS)
    assert [verdict for verdict in proof.verdicts if verdict.kind in ("survivor", "unused")] == []
    assert proof.passed


def test_parliament_finds_nothing_in_its_policies(blueprint: Blueprint, played: Played) -> None:
    """As they were deployed: with real ARNs in the place of references."""
    policies = played(blueprint.name).policies
    assert policies
    assert {where: found for where, document in policies.items() if (found := findings(document))} == {}


def test_destroying_the_sandbox_leaves_nothing(blueprint: Blueprint, played: Played) -> None:
    assert played(blueprint.name).left_behind == []


@pytest.mark.parametrize("users", SIZES)
def test_nor_would_the_sandbox_leave_anything_on_aws(
    blueprint: Blueprint, users: int, synthesized: Synthesized
) -> None:
    """By the template: also what the offline AWS doesn't make, such as the log groups of AWS's own services."""
    found = leftovers(synthesized(blueprint.name, users, "sandbox"))
    assert [(each.resource, each.what, each.why) for each in found.stays if not each.fades] == []
    assert [(each.resource, each.why) for each in found.blocks] == []
    assert found.nothing


def test_production_is_protected_and_what_it_leaves_has_a_price(
    blueprint: Blueprint, synthesized: Synthesized
) -> None:
    production = synthesized(blueprint.name, 1_000, "production")
    found = leftovers(production)
    assert [each.resource for each in found.stays if not each.is_known] == []
    assert found.monthly_usd > 0
    protected = {each.resource for each in found.blocks if each.type == "AWS::CloudFormation::Stack"}
    assert protected == {stack.name for stack in production.stacks}
    # Once its protections are off it can go: nothing that is kept stands on what is not.
    assert [each.resource for each in found.blocks if "doesn't delete what it uses" in each.why] == []


# 5. Every resource is priced, free with a reason, or listed; cost grows with users, and is the baseline at zero.


@pytest.mark.golden
def test_the_cost_equals_its_golden(blueprint: Blueprint, synthesized: Synthesized, golden: Golden) -> None:
    document = {
        str(users): [
            f"{line.resource} · {line.component}: {line.quantity:f} {line.unit} = ${line.monthly_usd:.4f}"
            for line in bill.lines
        ]
        + [f"total ${bill.monthly_usd:.2f}, idle ${bill.idle_usd:.2f}"]
        for users, bill in _bills(blueprint, synthesized).items()
    }
    golden(_goldens(blueprint) / "cost.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def test_every_resource_is_in_the_bill(blueprint: Blueprint, synthesized: Synthesized) -> None:
    for users, bill in _bills(blueprint, synthesized).items():
        assert [line.resource for line in bill.lines if not line.declared] == [], f"at {users} users"
        assert bill.unpriced == ()


def test_every_option_of_a_choice_is_priced_whole(blueprint: Blueprint, synthesized: Synthesized) -> None:
    default = cost.price(synthesized(blueprint.name, 1_000, "production"))
    for choice in blueprint.choices:
        totals = {}
        for option in choice.options:
            assembly = synthesized(blueprint.name, 1_000, "production", **{choice.key: option})
            bill = cost.price(assembly)
            assert [line.resource for line in bill.lines if not line.declared] == [], option
            assert bill.unpriced == ()
            assert capacity.undeclared(assembly) == []
            totals[option] = bill.monthly_usd
        assert totals[choice.options[0]] == default.monthly_usd
        assert len({totals[way] for way in choice.ways}) > 1, f"{choice.key} changes nothing of the bill"


def test_the_promise_holds_whichever_way_it_is_built(blueprint: Blueprint, synthesized: Synthesized) -> None:
    """Every option is in one play at least: the second ones of all choices together, the third ones, and so on."""
    default = synthesized(blueprint.name, 1_000, "sandbox").stacks
    for number in range(1, max((len(choice.options) for choice in blueprint.choices), default=1)):
        chosen = {
            choice.key: choice.options[min(number, len(choice.options) - 1)] for choice in blueprint.choices
        }
        stacks = synthesized(blueprint.name, 1_000, "sandbox", **chosen).stacks
        if [each.template for each in stacks] != [each.template for each in default]:
            report = dry_run(blueprint, Options(choices=chosen))
            assert _not_passed(report) == [], "\n".join([str(chosen), *report.log])
            assert report.passed, chosen


def test_cost_grows_with_users_and_is_the_baseline_at_zero(
    blueprint: Blueprint, synthesized: Synthesized
) -> None:
    bills = _bills(blueprint, synthesized)
    totals = [bill.monthly_usd for bill in bills.values()]
    assert totals == sorted(totals)
    assert len(set(totals)) == len(totals)
    assembly = synthesized(blueprint.name, 1_000, "production")
    assert cost.price(assembly, traffic=Decimal(0)).monthly_usd == bills[1_000].idle_usd
    sandbox = cost.price(synthesized(blueprint.name, 1_000, "sandbox"))
    assert sandbox.idle_usd <= bills[1_000].idle_usd


# 6. Capacity names the first limit.


def test_capacity_names_the_first_limit(blueprint: Blueprint, synthesized: Synthesized) -> None:
    assert capacity.undeclared(synthesized(blueprint.name, 1_000, "production")) == []
    found = _first_to_break(blueprint, synthesized)
    assert found.users is not None
    assert found.resource
    assert found.limit
    assert found.why


# 7. Its page is complete, and its generated parts are current.


@pytest.mark.golden
def test_its_page_is_complete_and_current(
    blueprint: Blueprint,
    synthesized: Synthesized,
    played: Played,
    golden: Golden,
) -> None:
    page = ROOT / "stacks" / blueprint.name / "README.md"
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(SECTIONS)
    bills = _bills(blueprint, synthesized)
    parts = {
        "diagram": pages.diagram(mermaid(synthesized(blueprint.name, 1_000, "production"))),
        "transcript": pages.transcript(played(blueprint.name)),
        "cost": pages.cost_table(bills),
        "capacity": pages.capacity_paragraph(blueprint.name, _first_to_break(blueprint, synthesized)),
    }
    if blueprint.choices:
        parts["choices"] = "\n\n".join(_compared(blueprint, each, synthesized) for each in blueprint.choices)
    golden(page.with_name("cost.svg"), plots.svg(*pages.cost_curve(blueprint.name, bills)))
    production = synthesized(blueprint.name, 1_000, "production")
    if _all(production, "AWS::EC2::VPC"):
        parts["reachability"] = table(Reachability(production))
    golden(page, pages.fill(text, parts))


# 8. Every function has its own role, no `*` action, a timeout, a log that ends, tracing, alarms, and a place for
#    what fails. And what the offline AWS does not check: see also workbench/review/closure.py.


def test_every_function_has_a_role_of_its_own(production: Assembly) -> None:
    roles = [str(each.properties["Role"]) for each in _all(production, "AWS::Lambda::Function")]
    assert len(roles) == len(set(roles))


def test_no_policy_has_a_star(production: Assembly) -> None:
    for statement, where in _statements(production):
        assert not [action for action in _listed(statement["Action"]) if "*" in action], where
        if "*" in _listed(statement.get("Resource", [])):
            assert set(_listed(statement["Action"])) <= TAKE_NO_RESOURCE.keys(), where


def test_every_function_is_bounded_traced_and_logged(production: Assembly) -> None:
    for each in _all(production, "AWS::Lambda::Function"):
        assert 1 <= each.properties["Timeout"] <= 900, each.name
        assert each.properties["TracingConfig"] == {"Mode": "Active"}, each.name
        log_group = each.properties["LoggingConfig"]["LogGroup"]
        log = each.stack.resources[log_group.logical_id]
        assert log.properties["RetentionInDays"] > 0, each.name


def test_every_function_has_alarms_on_errors_throttles_and_latency(production: Assembly) -> None:
    watched = {
        (str(alarm.properties["Dimensions"][0]["Value"]), alarm.properties["MetricName"])
        for alarm in _all(production, "AWS::CloudWatch::Alarm")
    }
    for each in _all(production, "AWS::Lambda::Function"):
        for metric in ("Errors", "Throttles", "Duration"):
            assert (f"${{{each.logical_id}}}", metric) in watched, f"{each.name} has no alarm on {metric}"


def test_every_queue_has_an_alarm_on_its_age_or_on_its_dead_letters(production: Assembly) -> None:
    watched = {
        (str(alarm.properties["Dimensions"][0]["Value"]), alarm.properties["MetricName"])
        for alarm in _all(production, "AWS::CloudWatch::Alarm")
    }
    for queue in _all(production, "AWS::SQS::Queue"):
        metric = (
            "ApproximateAgeOfOldestMessage"
            if "RedrivePolicy" in queue.properties
            else "ApproximateNumberOfMessagesVisible"
        )
        assert (f"${{{queue.logical_id}.QueueName}}", metric) in watched, queue.name


def test_every_alarm_tells_somebody(production: Assembly) -> None:
    topics = {f"${{{topic.logical_id}}}" for topic in _all(production, "AWS::SNS::Topic")}
    for alarm in _all(production, "AWS::CloudWatch::Alarm"):
        assert {str(action) for action in alarm.properties.get("AlarmActions", [])} & topics, alarm.name
        assert alarm.properties.get("ActionsEnabled", True) is True, alarm.name


def test_every_alarm_may_tell(production: Assembly) -> None:
    """Where a topic has a policy, it must let CloudWatch publish: on AWS, SNS's own policy is gone then."""
    told = {
        str(action)
        for alarm in _all(production, "AWS::CloudWatch::Alarm")
        for action in alarm.properties["AlarmActions"]
    }
    for policy in _all(production, "AWS::SNS::TopicPolicy"):
        for topic in policy.properties["Topics"]:
            allowed = [
                statement
                for statement in policy.properties["PolicyDocument"]["Statement"]
                if statement["Effect"] == "Allow"
                and statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
                and "sns:Publish" in _listed(statement["Action"])
            ]
            assert allowed or str(topic) not in told, policy.name


def test_what_is_wired_is_also_granted(production: Assembly) -> None:
    """What AWS refuses and the offline AWS lets pass: `workbench/review/closure.py`."""
    assert [str(each) for each in closure.missing(production)] == []


def test_the_internet_reaches_load_balancers_and_nothing_else(production: Assembly) -> None:
    reachability = Reachability(production)
    balancers = {each.name for each in _all(production, "AWS::ElasticLoadBalancingV2::LoadBalancer")}
    for way in reachability.from_outside():
        assert way.target in balancers, way
        assert way.ports in ("80", "443"), way
    for name, standings in reachability.members().items():
        if name not in balancers:
            assert "public" not in standings, f"{name} stands in a public subnet"


def test_security_groups_are_described_as_ec2_takes_it(production: Assembly) -> None:
    """At most 255 characters of these; CloudFormation's schemas and cfn-lint let others pass, EC2 does not."""
    taken = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
    for kind, names in (
        ("AWS::EC2::SecurityGroup", ("GroupDescription",)),
        ("AWS::EC2::SecurityGroupIngress", ("Description",)),
        ("AWS::EC2::SecurityGroupEgress", ("Description",)),
    ):
        for each in _all(production, kind):
            rules = [
                *each.properties.get("SecurityGroupIngress", []),
                *each.properties.get("SecurityGroupEgress", []),
            ]
            said = [each.properties.get(name, "") for name in names]
            said += [rule.get("Description", "") for rule in rules]
            assert [words for words in said if not taken.fullmatch(str(words))] == [], each.name


def test_a_network_is_logged_and_has_its_free_endpoints(production: Assembly) -> None:
    for vpc in _all(production, "AWS::EC2::VPC"):
        logged = [str(each.properties["ResourceId"]) for each in _all(production, "AWS::EC2::FlowLog")]
        assert f"${{{vpc.logical_id}}}" in logged, vpc.name
        services = {str(each.properties["ServiceName"]) for each in _all(production, "AWS::EC2::VPCEndpoint")}
        for service in ("s3", "dynamodb"):
            assert any(name.endswith(f".{service}") for name in services), service


def test_a_machine_has_no_key_and_its_metadata_needs_a_token(production: Assembly) -> None:
    for template in _all(production, "AWS::EC2::LaunchTemplate"):
        data = template.properties["LaunchTemplateData"]
        assert "KeyName" not in data, template.name
        assert data["MetadataOptions"]["HttpTokens"] == "required", template.name
        for device in data.get("BlockDeviceMappings", []):
            assert device["Ebs"]["Encrypted"] is True, template.name


def test_every_queue_that_feeds_a_function_keeps_its_dead_letters(production: Assembly) -> None:
    wires = closure.Closure(production)
    for mapping in _all(production, "AWS::Lambda::EventSourceMapping"):
        queue = mapping.stack.resources[mapping.properties["EventSourceArn"].logical_id]
        if queue.type != "AWS::SQS::Queue":
            continue  # a stream has no redrive; what its consumer cannot read is the closure's and its tests' matter
        function = wires.target(mapping, mapping.properties["FunctionName"])
        while (
            function is not None and function.type != "AWS::Lambda::Function"
        ):  # behind an alias, or a version
            function = wires.target(function, function.properties["FunctionName"])
        assert function is not None
        assert mapping.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"], mapping.name
        assert mapping.properties["ScalingConfig"]["MaximumConcurrency"] >= 2, mapping.name
        assert queue.properties["RedrivePolicy"]["maxReceiveCount"] >= 2, queue.name
        assert queue.properties["VisibilityTimeout"] >= 6 * function.properties["Timeout"], queue.name
        dead = queue.stack.resources[queue.properties["RedrivePolicy"]["deadLetterTargetArn"].logical_id]
        assert dead.properties["MessageRetentionPeriod"] == 14 * 86_400, dead.name


def test_production_protects_its_data_and_the_sandbox_keeps_none(
    blueprint: Blueprint, synthesized: Synthesized
) -> None:
    kept = {
        "AWS::DynamoDB::Table": "Retain",
        "AWS::S3::Bucket": "Retain",
        "AWS::Cognito::UserPool": "Retain",
        "AWS::RDS::DBInstance": "Snapshot",
        "AWS::ECR::Repository": "Retain",
        "AWS::Backup::BackupVault": "Retain",
    }
    for stage in ("production", "sandbox"):
        for each in synthesized(blueprint.name, 1_000, catalogue.stage_named(stage)).resources:
            if each.type in kept:
                policy = kept[each.type] if stage == "production" else "Delete"
                assert each.raw["DeletionPolicy"] == each.raw["UpdateReplacePolicy"] == policy, each.name
    for database in _all(synthesized(blueprint.name, 1_000, "production"), "AWS::RDS::DBInstance"):
        properties = database.properties
        assert (
            properties["MultiAZ"]
            is properties["StorageEncrypted"]
            is properties["DeletionProtection"]
            is True
        )
        assert properties["BackupRetentionPeriod"] >= 7
        assert properties["PubliclyAccessible"] is False
    for each in _all(synthesized(blueprint.name, 1_000, "production"), "AWS::DynamoDB::Table"):
        recoverable = each.properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert recoverable or "TimeToLiveSpecification" in each.properties, each.name
        assert each.properties["DeletionProtectionEnabled"] is True, each.name


def test_nothing_is_named_by_hand(production: Assembly) -> None:
    # Alarms, dashboards and CloudFront's policies must have a name; theirs begins with the stack's.
    names = ("TableName", "QueueName", "FunctionName", "RoleName", "BucketName", "TopicName", "UserPoolName")
    for each in production.resources:
        if each.type in NAMING:
            continue
        assert not [name for name in names if name in each.properties], each.name
    for alarm in _all(production, "AWS::CloudWatch::Alarm"):
        assert alarm.properties["AlarmName"].startswith(alarm.stack.name)


# What the tests above read.


@pytest.fixture
def production(blueprint: Blueprint, synthesized: Synthesized) -> Assembly:
    return synthesized(blueprint.name, 1_000, "production")


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
        "DOCKER_HOST",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole catalogue synthesized once with every rule on: the folder of the assembly."""
    from aws_cdk import Validations

    folder = tmp_path_factory.mktemp("gate")
    app = catalogue.new_app(folder, validate=True)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app, verbose=True), ServerlessChecks(app, verbose=True)
    )
    for each in catalogue.every():
        catalogue.place(app, each, 1_000, "production")
    try:
        app.synth()
    except RuntimeError as problem:
        if "Validation failed" not in str(problem):
            raise
    return folder


@pytest.fixture(scope="module")
def gated(gate: Path) -> dict[str, Any]:
    """CDK's validation report."""
    report: dict[str, Any] = json.loads((gate / "validation-report.json").read_text())
    return report


@pytest.fixture(scope="module")
def acknowledged(gate: Path) -> set[tuple[str, str]]:
    """(rule, construct path) of every acknowledgement that the stacks declare; not of those that the CDK does."""
    found = set()
    for file in gate.glob("*.metadata.json"):
        for path, entries in json.loads(file.read_text()).items():
            for entry in entries:
                if "acknowledge" in entry["type"].lower():
                    found |= {(rule.split("::", 1)[-1], path.lstrip("/")) for rule in _rules(entry["data"])}
    return found


def _rules(data: Any) -> Iterator[str]:
    for rule, reason in data.items():
        assert str(reason).strip(), f"{rule} is acknowledged without a reason"
        if rule.split("::", 1)[-1].startswith(("AwsSolutions-", "Serverless-")):
            yield rule


def _goldens(blueprint: Blueprint) -> Path:
    return ROOT / "tests" / blueprint.name / "golden"


def _normalised(stack: Stack) -> str:
    """The template as text: sorted as written, with the hashes of assets blanked."""
    text = json.dumps(stack.template, indent=1, ensure_ascii=False)
    text = re.sub(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}", r"\1<hash>", text)  # of a function's code, too
    return re.sub(r"\b[0-9a-f]{64}\b", "<hash>", text) + "\n"


def _bills(blueprint: Blueprint, synthesized: Synthesized) -> dict[int, cost.Bill]:
    return {users: cost.price(synthesized(blueprint.name, users, "production")) for users in SIZES}


def _compared(blueprint: Blueprint, choice: Choice[Any], synthesized: Synthesized) -> str:
    def cost_of(way: str) -> curve.Cost:
        return lambda users: (
            cost.price(synthesized(blueprint.name, users, "production", **{choice.key: way})).monthly_usd
        )

    ways = {way: cost_of(way) for way in choice.ways}
    table = {way: [(users, monthly(users)) for users in SIZES] for way, monthly in ways.items()}
    return pages.choice_table(choice, table, curve.crossings(ways, fewest=FEWEST, most=MOST))


def _not_passed(report: Report) -> list[tuple[str, str | None]]:
    return [(step.name, step.error or step.not_played) for step in report.steps if not step.passed]


def _first_to_break(blueprint: Blueprint, synthesized: Synthesized) -> capacity.Break:
    return capacity.first_to_break(
        lambda users: capacity.limits(synthesized(blueprint.name, users, "production")),
        start=1_000,
        most=MOST,
    )


def _all(assembly: Assembly, kind: str) -> list[Resource]:
    return [each for each in assembly.resources if each.type == kind]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _statements(assembly: Assembly) -> Iterator[tuple[dict[str, Any], str]]:
    for policy in _all(assembly, "AWS::IAM::Policy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            yield statement, policy.name
