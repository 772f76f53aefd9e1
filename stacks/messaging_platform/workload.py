"""Who does what how often: forty messages a day, a quarter of them to groups, on one device or two."""

from __future__ import annotations

from typing import Literal

from workbench.blueprint import Choice
from workbench.workload import Action, Quantity, Workload

TRANSPORT: Choice[Literal["api_gateway", "gateway_fleet"]] = Choice(
    key="transport",
    options=("api_gateway", "gateway_fleet"),
    question="are sockets cheaper by API Gateway's message and minute, or on a fleet of our own behind an NLB?",
)
DELIVERY: Choice[Literal["by_hand", "pipeline"]] = Choice(
    key="delivery",
    options=("by_hand", "pipeline"),
    question="what does it cost a month to deploy through a pipeline instead of by hand?",
)

WORKLOAD = Workload(
    actions={
        "send_direct": Action("30", peak_factor="4", why="three messages of four go to one person"),
        "send_group": Action("10", peak_factor="4"),
        "amend": Action("0.4", peak_factor="4", why="one message in a hundred is edited or deleted"),
        "read": Action(
            "60", peak_factor="4", why="a chat is opened and read; a cursor moves for many at once"
        ),
        "connect": Action("12", peak_factor="10", why="the app comes to the front a dozen times a day"),
        "type": Action("60", peak_factor="4", why="one and a half a message, of which one is told"),
        "upload": Action("2", peak_factor="4", why="one message in twenty has media"),
        "view_media": Action("6", peak_factor="4", why="most of what is received is looked at once"),
        "sign_in": Action("0.03", peak_factor="10", why="a session lasts a month; a token an hour"),
        "change_directory": Action("0.2", peak_factor="4", why="contacts, groups, settings"),
    },
    quantities={
        # People and devices.
        "devices": Quantity("1.4", "devices/user", "a phone, and for some a computer"),
        "members": Quantity("12", "members", "the mean over group messages; the largest has a thousand"),
        "online_seconds": Quantity("5400", "s/user/day", "an hour and a half with the app in front"),
        "online_at_peak": Quantity("0.15", "of users are connected in the busiest minute"),
        "away": Quantity("0.7", "of deliveries find the device away"),
        "heartbeat_seconds": Quantity("60", "s", "two may be missed: production's alive_seconds"),
        "watched": Quantity("0.5", "watchers told/transition", "few look at whether somebody is there"),
        "transitions": Quantity("2", "transitions/connection", "came and went"),
        "syncs": Quantity("1.5", "pages/connection"),
        # Sizes.
        "message_bytes": Quantity("700", "bytes/message", "the item: text of 100, ids, DynamoDB's 100"),
        "sent_bytes": Quantity("350", "bytes/message", "the key of its repetition"),
        "entry_bytes": Quantity("750", "bytes/entry", "an inbox's copy"),
        "record_bytes": Quantity("500", "bytes/record", "the event on Kafka"),
        "frame_bytes": Quantity("450", "bytes/frame"),
        "largest_frame_kb": Quantity("30", "KB", "a page of the inbox"),
        "image_gb": Quantity("2", "GB", "ten images of a fifth each"),
        "person_bytes": Quantity("3000", "bytes/user", "profile, devices, contacts, blocks"),
        "membership_bytes": Quantity("250", "bytes/membership"),
        "memberships": Quantity("40", "memberships/user"),
        "row_bytes": Quantity("6000", "bytes/user", "account, contacts and groups, with indexes"),
        "media_bytes": Quantity("600000", "bytes/upload", "mostly photographs as an app sends them"),
        "thumbnail_bytes": Quantity("12000", "bytes/upload"),
        "media_item_bytes": Quantity("700", "bytes/upload"),
        "log_bytes": Quantity("1200", "bytes/call", "Lambda's own lines, and ours"),
        "access_log_bytes": Quantity("350", "bytes/request"),
        "response_bytes": Quantity("900", "bytes/response"),
        "request_bytes": Quantity("700", "bytes/request"),
        "cached_bytes": Quantity("1000", "bytes/connected user"),
        # How long things are kept.
        "messages_kept_days": Quantity(
            "365", "days", "history for new devices; the bill is of the first year's end"
        ),
        "media_kept_days": Quantity("365", "days"),
        "fresh_share": Quantity("0.083", "of what is held is of the last 30 days"),
        "infrequent_share": Quantity("0.41", "of what is held is of the 150 days before"),
        "cold_share": Quantity("0.507", "of what is held is older"),
        "read_again": Quantity("0.02", "of a colder class is read again in a month"),
        "sent_kept_days": Quantity("30", "days"),
        "undelivered_days": Quantity("0.5", "days", "till the device comes back, in the mean"),
        "records_kept_days": Quantity("3", "days", "the topics' retention"),
        # Times.
        "act_ms": Quantity("40", "ms", "a transaction of DynamoDB, and what stands before it"),
        "sync_ms": Quantity("40", "ms"),
        "presence_ms": Quantity("12", "ms"),
        "connect_ms": Quantity("25", "ms"),
        "authorize_ms": Quantity("15", "ms"),
        "directory_ms": Quantity("40", "ms"),
        "media_ms": Quantity("60", "ms", "with a signature of RSA"),
        "relay_ms": Quantity("60", "ms", "a batch to Kafka, acknowledged by two brokers"),
        "push_ms": Quantity("120", "ms", "a batch of ten"),
        # Batches.
        "changes_per_batch": Quantity("20", "changes/call"),
        "pushes_per_batch": Quantity("5", "pushes/call"),
        "acks_per_read": Quantity("0.5", "acks/delivery", "an app says once what came together"),
        # Units of DynamoDB, from the programs' calls; in a transaction they count twice.
        "append_writes": Quantity("2", "WRU/event", "of the chat's head, and as many of the message"),
        "sent_writes": Quantity("2", "WRU/event"),
        "limit_writes": Quantity("1", "WRU/event"),
        "chat_reads": Quantity(
            "1.3",
            "RRU/event",
            "a group's head and member, consistently; one query finds both of a chat of two",
        ),
        "block_reads": Quantity("2", "RRU/event", "of a chat of two: either may have blocked the other"),
        "sender_reads": Quantity("0.5", "RRU/event", "whether the device is still there, now and then"),
        "cursor_reads": Quantity("2", "RRU/cursor", "the head and the member, consistently"),
        "member_list_reads": Quantity("1", "RRU/list", "a dozen members, in the mean"),
        "size_reads": Quantity(
            "0.5", "RRU/receipt", "the head, before the list: a large chat is told nothing"
        ),
        "device_reads": Quantity("2", "RRU/delivery", "found, and read again once the inbox is written"),
        "cursor_writes": Quantity("1", "WRU/cursor"),
        "entry_writes": Quantity("2", "WRU/delivery", "written, and deleted when it was acknowledged"),
        "connection_writes": Quantity("2", "WRU/connection", "came and went"),
        "ticket_writes": Quantity("2", "WRU/connection"),
        "page_reads": Quantity("3", "RRU/page"),
        "unseen_reads": Quantity("2", "RRU/connection", "when it ends: whether something waits in the inbox"),
        "pushed": Quantity(
            "0.2", "pushes/delivery that found the device away", "one a chat until it is read"
        ),
        "push_writes": Quantity("1", "WRU/push"),
        "push_reads": Quantity("2", "RRU/push"),
        "queue_requests": Quantity("1.6", "requests/message"),
        "cache_commands": Quantity("4", "commands/heartbeat"),
        "hottest_chat": Quantity("0.0002", "of all events", "a group of a thousand on a busy evening"),
        "hottest_user": Quantity("0.00002", "of all"),
        "hottest_inbox": Quantity("0.00002", "of all entries"),
        # What one machine bears.
        "deliveries_per_pod": Quantity(
            "600", "deliveries/s", "a guess for a quarter of a vCPU; offline: `make bench`"
        ),
        "uploads_per_pod": Quantity("8", "uploads/s"),
        "connections_per_pod": Quantity("10000", "connections", "the gateway's MOST_CONNECTIONS"),
        "gateway_frames_per_pod": Quantity("150", "frames/s", "half a vCPU; an action is some 1.5 ms of it"),
        "partitions": Quantity("48", "partitions", "of the three topics"),
        "connections_to_database": Quantity("0.02", "connections/directory request/s"),
        # Delivering it, with `-c delivery=pipeline`. Guesses, but for the tests, which take that long on two cores;
        # brokers, cluster and database take longest to be made, and a canary five minutes.
        "deliveries": Quantity("40", "runs/month", "twice a working day"),
        "test_minutes": Quantity("15", "minutes/run"),
        "synth_minutes": Quantity("3", "minutes/run"),
        "image_minutes": Quantity("3", "minutes/run"),
        "deploy_minutes": Quantity("45", "minutes/run", "of a sandbox that is made anew"),
        "push_minutes": Quantity("4", "minutes/run"),
        "scenario_minutes": Quantity("6", "minutes/run"),
        "destroy_minutes": Quantity("30", "minutes/run"),
        "release_minutes": Quantity("12", "minutes/run"),
        "releasepush_minutes": Quantity("3", "minutes/run"),
        "delivery_log_bytes": Quantity("400000", "bytes/run"),
        "artifact_bytes": Quantity("150000000", "bytes/run", "the source, two assemblies, an image"),
        "metrics": Quantity("4", "metrics"),
        "one": Quantity("1", ""),
    },
)
