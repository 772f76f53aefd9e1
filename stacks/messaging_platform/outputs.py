"""What the stack says of itself when it is deployed."""

from __future__ import annotations

from patterns.json_http_api import JsonHttpApi
from patterns.sign_in import SignIn
from stacks.messaging_platform.directory import Directory
from stacks.messaging_platform.media import Media
from stacks.messaging_platform.messaging import Messaging
from stacks.messaging_platform.notifications import Notifications
from stacks.messaging_platform.programs import Programs
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.transport import Transport


def for_clients(api: JsonHttpApi, transport: Transport, sign_in: SignIn) -> dict[str, str]:
    """What an application is configured with."""
    return {
        "ApiUrl": f"https://{api.host}",
        "SocketUrl": transport.url,
        "UserPoolId": sign_in.pool.user_pool_id,
        "ClientId": sign_in.client.user_pool_client_id,
    }


def for_the_owner(
    stores: Stores,
    messaging: Messaging,
    directory: Directory,
    media: Media,
    notifications: Notifications,
    programs: Programs,
) -> dict[str, str]:
    """Where pushes and images go; and what only the owner looks at, and the scenario where it looks inside."""
    return {
        "PushTopicArn": notifications.channel.topic.topic_arn,
        "RepositoryUri": programs.images.repository_uri,
        "MessagesTable": stores.messages.table_name,
        "MessagesStreamArn": str(stores.messages.table_stream_arn),
        "ChatsTable": stores.chats.table_name,
        "PeopleTable": stores.people.table_name,
        "InboxesTable": stores.inboxes.table_name,
        "MediaTable": stores.media.table_name,
        "KafkaName": stores.kafka.name,
        "CacheId": stores.cache.group_id,
        "ParkedRecordsUrl": stores.parked.queue_url,
        "RelayFunctionArn": messaging.relay.function.function_arn,
        "DirectoryFunctionArn": directory.api.function.function_arn,
        "SweepFunctionArn": directory.sweep.function.function_arn,
        "UploadsBucket": media.uploads.bucket_name,
        "UploadsQueueUrl": media.queue.queue.queue_url,
        "PushFunctionArn": notifications.function.function.function_arn,
        "PushQueueUrl": notifications.queue.queue.queue_url,
        "ParkedPushesUrl": notifications.queue.dead_letters.queue_url,
        "QuietGroup": notifications.channel.group_name,
        "FanOutDeployment": programs.fan_out.deployment,
    }
