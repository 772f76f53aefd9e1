"""Types that are mostly kept in mind: made through MiniStack's API where it has one, else a name alone.

What `Ref` and each attribute answer is what the registry schemas of CloudFormation give as primary identifier and
read-only properties; the parts of one that is composed are joined with |.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import provisioners

from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins.network import call, forgiving, made_by, named


def recorded(
    kind: str, *, what: str, ref: str, physical: Callable[[str, Properties], str], **attributes: str
) -> StandIn:
    """A type of which there is nothing but its name.

    `physical(name, properties)` is the name; `attributes` say what each answers, with {0} for the name, {account}
    and {region}.
    """

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        made = physical(str(provisioners._physical_name(stack, logical_id, max_len=64)), properties)
        place = {"account": get_account_id(), "region": get_region()}
        return made, {name: form.format(made, **place) for name, form in attributes.items()}

    return StandIn(kind, "record", what, ref, create, lambda _physical_id, _properties: None, attributes)


def _own(property_name: str) -> Callable[[str, Properties], str]:
    """The name that the template gives, or one that is made up."""
    return lambda name, properties: str(properties.get(property_name) or name)


def _with_own(property_name: str) -> Callable[[str, Properties], Properties]:
    """The properties, with that name in them."""
    return lambda name, properties: {**properties, property_name: _own(property_name)(name, properties)}


def _joined(*names: str) -> Callable[[str, Properties], str]:
    return lambda _name, properties: "|".join(str(properties[each]) for each in names)


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


# Web application firewall.


def _locked_set(kind: str) -> StandIn:
    """An IP set or a set of patterns: deleting one needs the token of its latest version."""

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        name = properties.get("Name") or str(provisioners._physical_name(stack, logical_id, max_len=64))
        patterns = [{"RegexString": each} for each in properties.get("RegularExpressionList") or []]
        given = {**properties, "Name": name, "RegularExpressionList": patterns}
        made = call("wafv2", f"Create{kind}", given)["Summary"]
        return f"{name}|{made['Id']}|{properties['Scope']}", {"Arn": made["ARN"], "Id": made["Id"]}

    def delete(physical_id: str, _properties: Properties) -> None:
        name, identity, scope = physical_id.split("|")
        which = {"Name": name, "Id": identity, "Scope": scope}
        with forgiving():
            token = call("wafv2", f"Get{kind}", which)["LockToken"]
            call("wafv2", f"Delete{kind}", {**which, "LockToken": token})

    return StandIn(
        f"AWS::WAFv2::{kind}",
        "api",
        "the set is there; nothing is filtered by it",
        "name, id and scope, with | between",
        create,
        delete,
        {"Arn": "the set's ARN", "Id": "the set's id"},
    )


def _alarm(logical_id: str, properties: Properties, stack: str) -> Made:
    given = _with_own("AlarmName")(str(provisioners._physical_name(stack, logical_id)), properties)
    call("cloudwatch", "PutCompositeAlarm", given)
    arn = f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{given['AlarmName']}"
    return given["AlarmName"], {"Arn": arn}


def _delete_alarm(physical_id: str, _properties: Properties) -> None:
    call("cloudwatch", "DeleteAlarms", {"AlarmNames": [physical_id]})


def _trail(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("TrailName") or str(provisioners._physical_name(stack, logical_id, max_len=128))
    arn = call("cloudtrail", "CreateTrail", {**properties, "Name": name})["TrailARN"]
    if str(properties.get("IsLogging", "")).lower() == "true":
        call("cloudtrail", "StartLogging", {"Name": name})
    return name, {"Arn": arn, "SnsTopicArn": properties.get("SnsTopicName", "")}


def _delete_trail(physical_id: str, _properties: Properties) -> None:
    with forgiving():
        call("cloudtrail", "DeleteTrail", {"Name": physical_id})


def _budget(logical_id: str, properties: Properties, stack: str) -> Made:
    budget = dict(properties["Budget"])
    budget.setdefault("BudgetName", str(provisioners._physical_name(stack, logical_id, max_len=100)))
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


def _delete_budget(physical_id: str, _properties: Properties) -> None:
    with forgiving():
        call("budgets", "DeleteBudget", {"AccountId": get_account_id(), "BudgetName": physical_id})


def _versioned(operation: str) -> Callable[[str, Properties], Properties]:
    """CloudFront deletes only the version that it is told."""

    def gone(physical_id: str, _properties: Properties) -> Properties:
        return {"Id": physical_id, "IfMatch": call("cloudfront", operation, {"Id": physical_id})["ETag"]}

    return gone


def _health_check(name: str, properties: Properties) -> Properties:
    return {"CallerReference": f"{name}-{uuid.uuid4().hex[:8]}", **properties}


_CONNECTION = "the connection is there; nothing is called through it"

STAND_INS = (
    made_by(
        "AWS::Backup::BackupSelection",
        "backup",
        "CreateBackupSelection",
        "DeleteBackupSelection",
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
        "AWS::Route53::HealthCheck",
        "route53",
        "CreateHealthCheck",
        "DeleteHealthCheck",
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
        physical=_joined("ResourceArn", "WebACLArn"),
        gone=lambda _, properties: {"ResourceArn": properties["ResourceArn"]},
    ),
    recorded(
        "AWS::WAFv2::LoggingConfiguration",
        what="a name: nothing is filtered, so nothing is logged",
        ref="the ACL's ARN",
        physical=_joined("ResourceArn"),
        ManagedByFirewallManager="false",
    ),
    _locked_set("IPSet"),
    _locked_set("RegexPatternSet"),
    recorded(
        "AWS::SSM::Document",
        what="a name: nothing runs a document here",
        ref="the document's name",
        physical=_own("Name"),
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
        "api",
        "the alarm is there, as MiniStack evaluates it",
        "the alarm's name",
        _alarm,
        _delete_alarm,
        {"Arn": "the alarm's ARN"},
    ),
    StandIn(
        "AWS::CloudTrail::Trail",
        "api",
        "the trail is there, with what MiniStack records",
        "the trail's name",
        _trail,
        _delete_trail,
        {"Arn": "the trail's ARN", "SnsTopicArn": "the topic that it tells"},
    ),
    StandIn(
        "AWS::Budgets::Budget",
        "api",
        "the budget is there; nothing is spent",
        "the budget's name",
        _budget,
        _delete_budget,
        {"Id": "the budget's name"},
    ),
    made_by(
        "AWS::Events::Archive",
        "events",
        "CreateArchive",
        "DeleteArchive",
        what="the archive is there, as MiniStack fills it",
        ref="the archive's name",
        physical=_own("ArchiveName"),
        attributes={"Arn": "ArchiveArn"},
        given=lambda name, properties: {
            **_with_own("ArchiveName")(name, properties),
            "EventSourceArn": properties["SourceArn"],
            "EventPattern": json.dumps(properties["EventPattern"]) if "EventPattern" in properties else None,
        },
        gone=named("ArchiveName"),
    ),
    made_by(
        "AWS::Events::Connection",
        "events",
        "CreateConnection",
        "DeleteConnection",
        what=_CONNECTION,
        ref="the connection's name",
        physical=_own("Name"),
        attributes={"Arn": "ConnectionArn", "ArnForPolicy": "ConnectionArn", "SecretArn": "SecretArn"},
        given=_with_own("Name"),
        gone=named("Name"),
    ),
    made_by(
        "AWS::Events::ApiDestination",
        "events",
        "CreateApiDestination",
        "DeleteApiDestination",
        what=_CONNECTION,
        ref="the destination's name",
        physical=_own("Name"),
        attributes={"Arn": "ApiDestinationArn", "ArnForPolicy": "ApiDestinationArn"},
        given=_with_own("Name"),
        gone=named("Name"),
    ),
    made_by(
        "AWS::ResourceGroups::Group",
        "resource-groups",
        "CreateGroup",
        "DeleteGroup",
        what="the group is there",
        ref="the group's name",
        physical=_own("Name"),
        attributes={"Arn": "Group.GroupArn"},
        gone=named("Group"),
    ),
    recorded(
        "AWS::CloudFront::RealtimeLogConfig",
        what="a name: no request of the edge is logged",
        ref="the configuration's ARN",
        physical=lambda name, properties: (
            f"arn:aws:cloudfront::{get_account_id()}:realtime-log-config/{_own('Name')(name, properties)}"
        ),
        Arn="{0}",
    ),
    made_by(
        "AWS::CloudFront::PublicKey",
        "cloudfront",
        "CreatePublicKey",
        "DeletePublicKey",
        what="the key is there; no signature is checked with it",
        ref="the key's id",
        physical="PublicKey.Id",
        attributes={"Id": "=", "CreatedTime": "PublicKey.CreatedTime"},
        gone=_versioned("GetPublicKey"),
    ),
    made_by(
        "AWS::CloudFront::KeyGroup",
        "cloudfront",
        "CreateKeyGroup",
        "DeleteKeyGroup",
        what="the group is there; no signature is checked with it",
        ref="the group's id",
        physical="KeyGroup.Id",
        attributes={"Id": "=", "LastModifiedTime": "KeyGroup.LastModifiedTime"},
        gone=_versioned("GetKeyGroup"),
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
        physical=_joined("EcrRepositoryPrefix"),
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
        physical="OpenIDConnectProviderArn",
        attributes={"Arn": "="},
        gone=named("OpenIDConnectProviderArn"),
    ),
)
