"""Types that are mostly kept in mind: made through MiniStack's API where it has one, else a name alone.

What `Ref` and each attribute answer is what the registry schemas of CloudFormation give as primary identifier and
read-only properties; the parts of one that is composed are joined with |.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from ministack.core.responses import get_account_id, get_region

from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import (
    call,
    forgiving,
    joined,
    made_by,
    named,
    own,
    physical_name,
    recorded,
    repeating,
    with_own,
)


def _account(_name: str, _properties: Properties) -> str:
    return str(get_account_id())


def _unique(_name: str, _properties: Properties) -> str:
    return str(uuid.uuid4())


# Policies that a queue or a topic has one of.


def _inline_policy(
    kind: str, service: str, operation: str, target: str, parameters: Callable[..., Properties]
) -> StandIn:
    def put(properties: Properties, document: str) -> None:
        call(service, operation, parameters(properties[target], document))

    def create(_logical_id: str, properties: Properties, _stack: str) -> Made:
        put(properties, json.dumps(properties["PolicyDocument"]))
        return str(properties[target]), {}

    def delete(_physical_id: str, properties: Properties) -> None:
        with forgiving():
            put(properties, "")

    return StandIn(kind, "api", "the policy is enforced", "what it is the policy of", create, delete)


def _topic_policy(topic: str, document: str) -> Properties:
    return {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": document}


def _queue_policy(queue: str, document: str) -> Properties:
    return {"QueueUrl": queue, "Attributes": {"Policy": document}}


# WebSocket APIs.


def _of_a_route(_name: str, properties: Properties) -> Properties:
    """`Ref` of a route is its id; in MiniStack the API's is before that."""
    return {**properties, "RouteId": str(properties["RouteId"]).rpartition("/")[2]}


# Web application firewall.


def _locked_set(kind: str) -> StandIn:
    """An IP set or a set of patterns: changing or deleting one needs the token of its latest version."""

    def given(properties: Properties) -> Properties:
        patterns = [{"RegexString": each} for each in properties.get("RegularExpressionList") or []]
        return {**properties, "RegularExpressionList": patterns}

    def which_of(physical_id: str) -> Properties:
        return dict(zip(("Name", "Id", "Scope"), physical_id.split("|"), strict=True))

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        name = properties.get("Name") or physical_name(stack, logical_id)
        made = call("wafv2", f"Create{kind}", {**given(properties), "Name": name})["Summary"]
        return f"{name}|{made['Id']}|{properties['Scope']}", {"Arn": made["ARN"], "Id": made["Id"]}

    def delete(physical_id: str, _properties: Properties) -> None:
        which = which_of(physical_id)
        with forgiving():
            token = call("wafv2", f"Get{kind}", which)["LockToken"]
            call("wafv2", f"Delete{kind}", {**which, "LockToken": token})

    def update(physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        if any(old.get(each) != new.get(each) for each in ("Name", "Scope", "IPAddressVersion")):
            return create(physical_id.partition("|")[0], new, stack)
        which = which_of(physical_id)
        known = call("wafv2", f"Get{kind}", which)
        call("wafv2", f"Update{kind}", {**given(new), **which, "LockToken": known["LockToken"]})
        return physical_id, {"Arn": known[kind]["ARN"], "Id": which["Id"]}

    return StandIn(
        f"AWS::WAFv2::{kind}",
        by="api",
        what="the set is there; nothing is filtered by it",
        ref="name, id and scope, with | between",
        create=create,
        update=update,
        delete=delete,
        attributes={"Arn": "the set's ARN", "Id": "the set's id"},
    )


def _alarm(logical_id: str, properties: Properties, stack: str) -> Made:
    given = with_own("AlarmName")(physical_name(stack, logical_id, most=128), properties)
    call("cloudwatch", "PutCompositeAlarm", given)
    arn = f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{given['AlarmName']}"
    return given["AlarmName"], {"Arn": arn}


def _delete_alarm(physical_id: str, _properties: Properties) -> None:
    call("cloudwatch", "DeleteAlarms", {"AlarmNames": [physical_id]})


def _trail(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("TrailName") or physical_name(stack, logical_id, most=128)
    arn = call("cloudtrail", "CreateTrail", {**properties, "Name": name})["TrailARN"]
    if str(properties.get("IsLogging", "")).lower() == "true":
        call("cloudtrail", "StartLogging", {"Name": name})
    return name, {"Arn": arn, "SnsTopicArn": properties.get("SnsTopicName", "")}


def _delete_trail(physical_id: str, _properties: Properties) -> None:
    with forgiving():
        call("cloudtrail", "DeleteTrail", {"Name": physical_id})


def _budget(logical_id: str, properties: Properties, stack: str) -> Made:
    budget = dict(properties["Budget"])
    budget.setdefault("BudgetName", physical_name(stack, logical_id, most=100))
    call(
        "budgets",
        "CreateBudget",
        {
            "AccountId": get_account_id(),
            "Budget": budget,
            "NotificationsWithSubscribers": properties.get("NotificationsWithSubscribers") or [],
        },
    )
    return budget["BudgetName"], {"Id": budget["BudgetName"]}


def _change_budget(physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
    budget = {"BudgetName": physical_id, **new["Budget"]}
    told = "NotificationsWithSubscribers"
    if budget["BudgetName"] == physical_id and old.get(told) == new.get(told):
        call("budgets", "UpdateBudget", {"AccountId": get_account_id(), "NewBudget": budget})
        return physical_id, {"Id": physical_id}
    if budget["BudgetName"] == physical_id:
        _delete_budget(physical_id, old)
    return _budget(physical_id, {**new, "Budget": budget}, stack)


def _delete_budget(physical_id: str, _properties: Properties) -> None:
    with forgiving():
        call("budgets", "DeleteBudget", {"AccountId": get_account_id(), "BudgetName": physical_id})


def _versioned(operation: str) -> Callable[[str, Properties], Properties]:
    """CloudFront changes and deletes only the version that it is told."""

    def gone(physical_id: str, _properties: Properties) -> Properties:
        return {"Id": physical_id, "IfMatch": call("cloudfront", operation, {"Id": physical_id})["ETag"]}

    return gone


_latest_key_group = _versioned("GetKeyGroup")


def _change_key_group(physical_id: str, _old: Properties, new: Properties, _stack: str) -> Made:
    group = call("cloudfront", "UpdateKeyGroup", {**_latest_key_group(physical_id, new), **new})["KeyGroup"]
    return physical_id, {"Id": physical_id, "LastModifiedTime": group["LastModifiedTime"]}


def _association_of_acl(_physical_id: str, properties: Properties) -> Properties | None:
    """None where the resource has another ACL by now: a new association has taken the place of this one."""
    resource = {"ResourceArn": properties["ResourceArn"]}
    acl = call("wafv2", "GetWebACLForResource", resource).get("WebACL") or {}
    return resource if acl.get("ARN") == properties["WebACLArn"] else None


def _provider(_name: str, properties: Properties) -> str:
    return f"arn:aws:iam::{get_account_id()}:oidc-provider/{properties['Url'].removeprefix('https://')}"


def _health_check(name: str, properties: Properties) -> Properties:
    return {"CallerReference": f"{name}-{uuid.uuid4().hex[:8]}", **properties}


_CONNECTION = "the connection is there; nothing is called through it"


def _repository_connection(_name: str, _properties: Properties) -> str:
    """Its ARN ends in an id, whatever the connection is called."""
    return f"arn:aws:codeconnections:{get_region()}:{get_account_id()}:connection/{uuid.uuid4()}"


STAND_INS = (
    made_by(
        "AWS::Backup::BackupSelection",
        "backup",
        what="the selection is there; no backup is made by it",
        ref="the selection's id",
        physical="SelectionId",
        attributes={"Id": "=", "SelectionId": "=", "BackupPlanId": "BackupPlanId"},
        gone=lambda physical_id, properties: {
            "SelectionId": physical_id,
            "BackupPlanId": properties["BackupPlanId"],
        },
    ),
    made_by(
        "AWS::ApiGatewayV2::RouteResponse",
        "apigatewayv2",
        what="the route answers: what its function returns goes to the client",
        ref="the route response's id",
        physical="RouteResponseId",
        attributes={"RouteResponseId": "="},
        given=_of_a_route,
        gone=lambda physical_id, properties: {
            **_of_a_route("", properties),
            "RouteResponseId": physical_id,
        },
    ),
    made_by(
        "AWS::Route53::HealthCheck",
        "route53",
        what="the health check is there; nothing is checked by it",
        ref="the health check's id",
        physical="HealthCheck.Id",
        attributes={"HealthCheckId": "="},
        given=_health_check,
        gone=named("HealthCheckId"),
    ),
    made_by(
        "AWS::WAFv2::WebACLAssociation",
        "wafv2",
        "AssociateWebACL",
        "DisassociateWebACL",
        what="the association is there; nothing is filtered by it",
        ref="the resource's ARN and the ACL's",
        physical=joined("ResourceArn", "WebACLArn"),
        gone=_association_of_acl,
    ),
    recorded(
        "AWS::WAFv2::LoggingConfiguration",
        what="a name: nothing is filtered, so nothing is logged",
        ref="the ACL's ARN",
        physical=joined("ResourceArn"),
        ManagedByFirewallManager="false",
    ),
    _locked_set("IPSet"),
    _locked_set("RegexPatternSet"),
    recorded(
        "AWS::SSM::Document",
        what="a name: nothing runs a document here",
        ref="the document's name",
        physical=own("Name"),
    ),
    recorded(
        "AWS::SSM::Association",
        what="a name: nothing runs a document here",
        ref="the association's id",
        physical=_unique,
        AssociationId="{0}",
    ),
    StandIn(
        "AWS::CloudWatch::CompositeAlarm",
        by="api",
        what="the alarm is there, as MiniStack evaluates it",
        ref="the alarm's name",
        create=_alarm,
        delete=_delete_alarm,
        attributes={"Arn": "the alarm's ARN"},
    ),
    StandIn(
        "AWS::CloudTrail::Trail",
        by="api",
        what="the trail is there, with what MiniStack records",
        ref="the trail's name",
        create=_trail,
        update=repeating(_trail, _delete_trail, name="TrailName"),
        delete=_delete_trail,
        attributes={"Arn": "the trail's ARN", "SnsTopicArn": "the topic that it tells"},
    ),
    StandIn(
        "AWS::Budgets::Budget",
        by="api",
        what="the budget is there; nothing is spent",
        ref="the budget's name",
        create=_budget,
        update=_change_budget,
        delete=_delete_budget,
        attributes={"Id": "the budget's name"},
    ),
    made_by(
        "AWS::Events::Archive",
        "events",
        what="the archive is there, as MiniStack fills it",
        ref="the archive's name",
        physical=own("ArchiveName"),
        attributes={"Arn": "ArchiveArn"},
        given=lambda name, properties: {
            **with_own("ArchiveName")(name, properties),
            "EventSourceArn": properties["SourceArn"],
            "EventPattern": json.dumps(properties["EventPattern"]) if "EventPattern" in properties else None,
        },
        gone=named("ArchiveName"),
    ),
    made_by(
        "AWS::Events::Connection",
        "events",
        what=_CONNECTION,
        ref="the connection's name",
        physical=own("Name"),
        attributes={"Arn": "ConnectionArn", "ArnForPolicy": "ConnectionArn", "SecretArn": "SecretArn"},
        given=with_own("Name"),
        gone=named("Name"),
    ),
    made_by(
        "AWS::Events::ApiDestination",
        "events",
        what=_CONNECTION,
        ref="the destination's name",
        physical=own("Name"),
        attributes={"Arn": "ApiDestinationArn", "ArnForPolicy": "ApiDestinationArn"},
        given=with_own("Name"),
        gone=named("Name"),
    ),
    recorded(
        "AWS::CodeConnections::Connection",
        what="a name: no repository is read through it",
        ref="the connection's ARN",
        physical=_repository_connection,
        ConnectionArn="{0}",
        ConnectionStatus="PENDING",
        OwnerAccountId="{account}",
    ),
    recorded(
        "AWS::CodePipeline::Pipeline",
        what="a name: nothing starts it, and it runs nothing",
        ref="the pipeline's name",
        physical=own("Name"),
        Version="1",
    ),
    recorded(
        "AWS::CodeDeploy::Application",
        what="a name: an alias that changes points to its new version at once",
        ref="the application's name",
        physical=own("ApplicationName"),
    ),
    recorded(
        "AWS::CodeDeploy::DeploymentGroup",
        what="a name: nothing is shifted by steps, and nothing is rolled back",
        ref="the deployment group's name",
        physical=own("DeploymentGroupName"),
    ),
    made_by(
        "AWS::ResourceGroups::Group",
        "resource-groups",
        what="the group is there",
        ref="the group's name",
        physical=own("Name"),
        attributes={"Arn": "Group.GroupArn"},
        gone=named("Group"),
    ),
    recorded(
        "AWS::CloudFront::RealtimeLogConfig",
        what="a name: no request of the edge is logged",
        ref="the configuration's ARN",
        physical=lambda name, properties: (
            f"arn:aws:cloudfront::{get_account_id()}:realtime-log-config/{own('Name')(name, properties)}"
        ),
        Arn="{0}",
    ),
    made_by(
        "AWS::CloudFront::PublicKey",
        "cloudfront",
        what="the key is there; signed URLs and cookies are checked with it",
        ref="the key's id",
        physical="PublicKey.Id",
        attributes={"Id": "=", "CreatedTime": "PublicKey.CreatedTime"},
        gone=_versioned("GetPublicKey"),
    ),
    made_by(
        "AWS::CloudFront::KeyGroup",
        "cloudfront",
        what="the group is there; behaviors that trust it ask for signatures by its keys",
        ref="the group's id",
        physical="KeyGroup.Id",
        attributes={"Id": "=", "LastModifiedTime": "KeyGroup.LastModifiedTime"},
        gone=_latest_key_group,
        change=_change_key_group,
    ),
    *(
        recorded(
            f"AWS::ECR::{setting}",
            what="a name: no image is kept here",
            ref="the registry's id",
            physical=_account,
            RegistryId="{account}",
        )
        for setting in ("RegistryPolicy", "ReplicationConfiguration", "RegistryScanningConfiguration")
    ),
    recorded(
        "AWS::ECR::PullThroughCacheRule",
        what="a name: no image is pulled here",
        ref="the prefix of the repositories",
        physical=joined("EcrRepositoryPrefix"),
    ),
    _inline_policy("AWS::SNS::TopicInlinePolicy", "sns", "SetTopicAttributes", "TopicArn", _topic_policy),
    _inline_policy("AWS::SQS::QueueInlinePolicy", "sqs", "SetQueueAttributes", "Queue", _queue_policy),
    made_by(
        "AWS::IAM::OIDCProvider",
        "iam",
        "CreateOpenIDConnectProvider",
        "DeleteOpenIDConnectProvider",
        what="the provider is there",
        ref="the provider's ARN",
        physical=_provider,
        attributes={"Arn": "="},
        gone=named("OpenIDConnectProviderArn"),
    ),
)
