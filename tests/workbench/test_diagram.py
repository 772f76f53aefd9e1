"""The drawing: what a person would draw, in Mermaid that parses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from workbench.assembly import Assembly
from workbench.diagram import mermaid

pytestmark = pytest.mark.fast

EVERYTHING = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}


def arn(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def allow(actions: list[str], target: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": target}


def policy(role: str, *statements: dict[str, Any]) -> dict[str, Any]:
    return resource(
        "AWS::IAM::Policy", {"Roles": [{"Ref": role}], "PolicyDocument": {"Statement": list(statements)}}
    )


def system() -> dict[str, Any]:
    api = {"Ref": "Api"}
    endpoint = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Api", "ApiEndpoint"]}]}]}
    target = {"Fn::Join": ["", ["integrations/", {"Ref": "Integration"}]]}
    alarm = {"AlarmActions": [{"Ref": "Alarms"}]}
    return {
        "Links": resource("AWS::DynamoDB::Table", path="Demo/Links/Resource"),
        "Dead": resource("AWS::SQS::Queue", path="Demo/Clicks/DeadLetters/Resource"),
        "Clicks": resource(
            "AWS::SQS::Queue",
            {"RedrivePolicy": {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 5}},
            path="Demo/Clicks/Queue/Resource",
        ),
        "RedirectRole": resource("AWS::IAM::Role"),
        "RedirectPolicy": policy(
            "RedirectRole",
            allow(["dynamodb:GetItem", "dynamodb:DescribeTable"], [arn("Links")]),
            allow(["sqs:SendMessage", "sqs:GetQueueUrl"], arn("Clicks")),
            allow(["xray:PutTraceSegments"], "*"),
        ),
        "Redirect": resource(
            "AWS::Lambda::Function", {"Role": arn("RedirectRole")}, path="Demo/Redirect/Function/Resource"
        ),
        "CountRole": resource("AWS::IAM::Role"),
        "CountPolicy": policy(
            "CountRole",
            allow(["dynamodb:UpdateItem", "dynamodb:Query"], {"Fn::Join": ["", [arn("Links"), "/index/*"]]}),
            allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"], arn("Clicks")),
        ),
        "Count": resource(
            "AWS::Lambda::Function", {"Role": arn("CountRole")}, path="Demo/Count/Function/Resource"
        ),
        "Feed": resource(
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": arn("Clicks"), "FunctionName": {"Ref": "Count"}, "BatchSize": 10},
        ),
        "Users": resource("AWS::Cognito::UserPool", path="Demo/SignIn/Users/Resource"),
        "Api": resource("AWS::ApiGatewayV2::Api", path="Demo/Api/Api/Resource"),
        "Integration": resource(
            "AWS::ApiGatewayV2::Integration", {"ApiId": api, "IntegrationUri": arn("Redirect")}
        ),
        "Get": resource(
            "AWS::ApiGatewayV2::Route", {"ApiId": api, "RouteKey": "GET /{code}", "Target": target}
        ),
        "Head": resource(
            "AWS::ApiGatewayV2::Route", {"ApiId": api, "RouteKey": "HEAD /{code}", "Target": target}
        ),
        "Authorizer": resource(
            "AWS::ApiGatewayV2::Authorizer",
            {"ApiId": api, "JwtConfiguration": {"Issuer": {"Fn::Sub": "https://idp/${Users}"}}},
        ),
        "Edge": resource(
            "AWS::CloudFront::Distribution",
            {"DistributionConfig": {"Origins": [{"DomainName": endpoint}]}},
            path="Demo/Edge/Distribution/Resource",
        ),
        "Alarms": resource("AWS::SNS::Topic", path="Demo/Alarms/Resource"),
        "Errors": resource("AWS::CloudWatch::Alarm", alarm),
        "Slow": resource("AWS::CloudWatch::Alarm", alarm),
    }


DRAWN = """\
flowchart LR
  clients(["Clients"])
  subgraph entrances["Entrances"]
    SignIn["SignIn<br/>Cognito user pool"]
    Api["Api<br/>API Gateway"]
    Edge["Edge<br/>CloudFront distribution"]
  end
  subgraph workers["Workers"]
    Redirect["Redirect<br/>Lambda function"]
    Count["Count<br/>Lambda function"]
  end
  subgraph stores["Stores and queues"]
    Links[("Links<br/>DynamoDB table")]
    Clicks_DeadLetters[/"Clicks/DeadLetters<br/>SQS queue"/]
    Clicks[/"Clicks<br/>SQS queue"/]
    Alarms[/"Alarms<br/>SNS topic"/]
  end
  cloudwatch(["CloudWatch"])
  clients -->|"sign in"| SignIn
  clients --> Edge
  Clicks -.->|"after 5 tries"| Clicks_DeadLetters
  Redirect -->|"reads"| Links
  Redirect -->|"sends"| Clicks
  Count -->|"reads, writes"| Links
  Clicks -->|"batches of 10"| Count
  Api -->|"GET /{code}, HEAD /{code}"| Redirect
  Api -.->|"authorizes"| SignIn
  Edge --> Api
  cloudwatch -->|"2 alarms"| Alarms
  %% folded away: 1 AWS::ApiGatewayV2::Authorizer, 1 AWS::ApiGatewayV2::Integration, \
2 AWS::ApiGatewayV2::Route, 2 AWS::CloudWatch::Alarm, 2 AWS::IAM::Policy, 2 AWS::IAM::Role, \
1 AWS::Lambda::EventSourceMapping
"""


def test_a_system_is_drawn_as_a_person_would() -> None:
    assert mermaid(assembly(system())) == DRAWN


def test_the_same_assembly_gives_the_same_drawing() -> None:
    assert mermaid(assembly(system())) == mermaid(assembly(system()))


def test_ids_are_safe_and_none_is_used_twice() -> None:
    names = ["end", "Größe & mehr", "a/b", "a-b", "stores", "9lives", 'say "hi" <b>']
    made = {
        f"R{n}": resource("AWS::Lambda::Function", path=f"Demo/{name}/Resource")
        for n, name in enumerate(names)
    }
    drawn = mermaid(assembly(made))
    ids = re.findall(r"^    (\w+)\[", drawn, flags=re.MULTILINE)
    assert len(set(ids)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z]\w*", each, flags=re.ASCII) for each in ids)
    assert not {"end", "stores"} & set(ids)
    assert "say #quot;hi#quot; #lt;b#gt;<br/>Lambda function" in drawn


def test_a_route_to_an_alias_leads_to_its_function() -> None:
    made = system()
    made["Live"] = resource("AWS::Lambda::Alias", {"FunctionName": {"Ref": "Redirect"}})
    made["Integration"]["Properties"]["IntegrationUri"] = {"Ref": "Live"}
    assert '  Api -->|"GET /{code}, HEAD /{code}"| Redirect\n' in mermaid(assembly(made))


def test_an_arrow_crosses_stacks_through_an_export() -> None:
    store = stack(
        {"Links": resource("AWS::DynamoDB::Table")},
        name="Store",
        Outputs={"Out": {"Value": arn("Links"), "Export": {"Name": "Store:Links"}}},
    )
    work = stack(
        {
            "Role": resource("AWS::IAM::Role"),
            "Work": resource("AWS::Lambda::Function", {"Role": arn("Role")}),
            "Policy": policy("Role", allow(["dynamodb:PutItem"], {"Fn::ImportValue": "Store:Links"})),
        },
        name="Work",
    )
    drawn = mermaid(Assembly(store.template_file.parent, (store, work)))
    assert '  Work -->|"writes"| Links\n' in drawn


def test_a_denied_action_is_no_arrow() -> None:
    made = system()
    made["RedirectPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Effect"] = "Deny"
    assert 'Redirect -->|"reads"| Links' not in mermaid(assembly(made))


def test_what_only_deployment_knows_draws_no_arrow() -> None:
    made = system()
    made["Edge"]["Properties"]["DistributionConfig"] = {"Fn::Transform": {"Name": "x"}}
    made["Clicks"]["Properties"]["RedrivePolicy"] = {"Ref": "Parameter"}
    drawn = mermaid(assembly(made))
    assert "Edge -->" not in drawn
    assert "tries" not in drawn


def test_what_the_network_opens_is_told_apart_in_stacks_that_are_alike() -> None:
    cached = {
        "Group": resource("AWS::EC2::SecurityGroup", {"SecurityGroupEgress": [EVERYTHING]}),
        "CacheGroup": resource(
            "AWS::EC2::SecurityGroup",
            {"SecurityGroupIngress": [{"IpProtocol": "-1", "SourceSecurityGroupId": {"Ref": "Group"}}]},
        ),
        "Work": resource("AWS::Lambda::Function", {"VpcConfig": {"SecurityGroupIds": [{"Ref": "Group"}]}}),
        "Cache": resource(
            "AWS::ElastiCache::ReplicationGroup", {"SecurityGroupIds": [{"Ref": "CacheGroup"}]}
        ),
    }
    drawn = mermaid(Assembly(Path(), (stack(cached, name="Beta"), stack(cached, name="Prod"))))
    assert '  Work -->|"reads, writes"| Cache\n' in drawn
    assert '  Work_2 -->|"reads, writes"| Cache_2\n' in drawn


def test_an_api_without_distribution_is_called_by_clients() -> None:
    made = system()
    del made["Edge"]
    assert "  clients --> Api\n" in mermaid(assembly(made))
