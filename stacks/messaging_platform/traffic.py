"""From what users do to what each resource is asked: the map that the bill and the limits are made of."""

from __future__ import annotations

from patterns.network import ZONES
from patterns.network_balancer import ConnectionTraffic
from patterns.traffic import (
    BucketTraffic,
    CacheTraffic,
    DatabaseTraffic,
    EdgeTraffic,
    FunctionTraffic,
    KafkaTraffic,
    NetworkTraffic,
    SocketTraffic,
    TableTraffic,
    at_least,
)
from workbench.workload import (
    DAYS_PER_MONTH,
    HOURS_PER_MONTH,
    NEVER,
    SECONDS_PER_MONTH,
    Figure,
    Load,
    Rate,
    gigabytes,
)

BYTES_PER_MB = 10**6
SECONDS_PER_MINUTE = 60
MINUTES_PER_MONTH = HOURS_PER_MONTH * 60


class Traffic:
    """The traffic of every resource of the stack at one load."""

    def __init__(self, load: Load) -> None:
        self._load = load
        of = load.quantity
        one = of("one")
        # What happens.
        self.direct, self.grouped = load.rate("send_direct"), load.rate("send_group")
        self.amended, self.reads, self.typed = load.rate("amend"), load.rate("read"), load.rate("type")
        self.connects, self.uploads, self.viewed = (
            load.rate("connect"),
            load.rate("upload"),
            load.rate("view_media"),
        )
        self.changes, self.sign_ins = load.rate("change_directory"), load.rate("sign_in")
        self.events = self.direct + self.grouped + self.amended
        readers = self.direct * 2 + (self.grouped + self.amended) * of("members")
        self.events_a_minute = at_least(10, self.events.peak_per_second * SECONDS_PER_MINUTE)
        self.deliveries = readers * of("devices")  # the sender's own devices, too
        self.away = self.deliveries * of("away")
        self.live = self.deliveries * (one.value - of("away").value)
        self.acks = self.deliveries * of("acks_per_read")
        self.cursors = self.acks + self.reads
        self.receipts = self.cursors  # of which groups of more than 32 tell none
        people = Figure(one.value * load.users, f"{load.users:,} users")
        self.connected_at_peak = people * of("online_at_peak") * of("devices")
        online = people * of("online_seconds") * DAYS_PER_MONTH
        beats = online / of("heartbeat_seconds")
        self.heartbeats = Rate(beats, self.connected_at_peak / of("heartbeat_seconds"))
        self.connection_minutes = online / SECONDS_PER_MINUTE
        self.transitions = self.connects * of("transitions")
        self.presence_told = self.transitions * of("watched") + self.typed
        self.syncs = self.connects * of("syncs")
        self.pushes = self.away * of("pushed")
        # What clients send, each answered but for typing, and what they are sent.
        self.frames_in = self.events + self.cursors + self.heartbeats + self.typed
        self.frames_out = (
            self.events + self.cursors + self.heartbeats + self.live + self.receipts + self.presence_told
        )
        self.http_requests = self.syncs + self.changes + self.connects + self.uploads * 3 + self.viewed
        self.actions = self.events + self.cursors
        self._stores(load)
        self._programs(load)

    def _stores(self, load: Load) -> None:
        of = load.quantity
        people = Figure(of("one").value * load.users, f"{load.users:,} users")

        def kept(rate: Rate, each: str, days: str) -> Figure:
            return gigabytes(rate.per_month / DAYS_PER_MONTH * of(days), of(each))

        self.messages = TableTraffic(
            writes=self.events * of("append_writes"),
            reads=self.syncs * of("page_reads"),
            stored_gb=kept(self.events, "message_bytes", "messages_kept_days"),
            hottest_key_share=of("hottest_chat"),
        )
        self.sent = TableTraffic(
            writes=self.events * of("sent_writes"),
            reads=NEVER,
            stored_gb=kept(self.events, "sent_bytes", "sent_kept_days"),
            hottest_key_share=of("hottest_user"),
        )
        memberships = people * of("memberships")
        self.chats = TableTraffic(
            writes=self.events * of("append_writes") + self.cursors * of("cursor_writes"),
            reads=self.events * of("chat_reads")
            + self.cursors * of("cursor_reads")
            + (self.events + self.receipts) * of("member_list_reads")
            + self.receipts * of("size_reads"),
            stored_gb=gigabytes(memberships, of("membership_bytes")),
            hottest_key_share=of("hottest_chat"),
            index_writes=self.cursors,
        )
        self.people = TableTraffic(
            writes=self.connects * of("connection_writes") + self.changes,
            reads=self.deliveries * of("device_reads")
            + self.receipts
            + self.direct * of("block_reads")
            + self.events * of("sender_reads"),
            stored_gb=gigabytes(people, of("person_bytes")),
            hottest_key_share=of("hottest_user"),
        )
        self.inboxes = TableTraffic(
            writes=self.deliveries * of("entry_writes"),
            reads=self.syncs * of("page_reads") + self.acks + self.connects * of("unseen_reads"),
            stored_gb=kept(self.away, "entry_bytes", "undelivered_days"),
            hottest_key_share=of("hottest_inbox"),
        )
        self.tickets = TableTraffic(
            writes=self.connects * of("ticket_writes"),
            reads=NEVER,
            stored_gb=NEVER.per_month,
            hottest_key_share=of("hottest_user"),
        )
        self.presence = TableTraffic(
            NEVER, NEVER, NEVER.per_month, of("hottest_user")
        )  # the cache's stand-in
        self.media_items = TableTraffic(
            writes=self.uploads * 3,
            reads=self.viewed + self.uploads * 2,
            stored_gb=kept(self.uploads, "media_item_bytes", "media_kept_days"),
            hottest_key_share=of("hottest_user"),
        )
        self.push_claims = TableTraffic(
            writes=self.pushes * of("push_writes"),
            reads=self.away * of("push_reads"),
            stored_gb=NEVER.per_month,
            hottest_key_share=of("hottest_user"),
        )
        self.limits = TableTraffic(
            writes=self.events * of("limit_writes"),
            reads=NEVER,
            stored_gb=NEVER.per_month,
            hottest_key_share=of("hottest_user"),
        )
        self.uploaded = BucketTraffic(
            puts=self.uploads * 4,
            gets=self.uploads * 2,
            stored_gb=kept(self.uploads, "media_bytes", "undelivered_days"),
            egress_gb=NEVER.per_month,
        )
        kept_media = kept(self.uploads, "media_bytes", "media_kept_days")
        self.media = BucketTraffic(
            puts=self.uploads * 2,
            gets=self.viewed,
            stored_gb=kept_media * of("fresh_share")
            + kept(self.uploads, "thumbnail_bytes", "media_kept_days"),
            egress_gb=NEVER.per_month,  # it leaves by the edge
        )
        requests = self.http_requests
        # In thirds of a year: what is new, what is old, and what is older than half a year.
        self.media_infrequent = self._colder(kept_media, "infrequent_share")
        self.media_cold = self._colder(kept_media, "cold_share")
        self.database = DatabaseTraffic(
            stored_gb=gigabytes(people, of("row_bytes")),
            peak_connections=at_least(4, requests.peak_per_second * of("connections_to_database")),
            backup_gb=NEVER.per_month,
        )
        self.cache = CacheTraffic(
            peak_commands_per_second=self.heartbeats.peak_per_second * of("cache_commands")
            + self.connects.peak_per_second * of("cache_commands")
            + self.deliveries.peak_per_second,
            stored_gb=gigabytes(self.connected_at_peak, of("cached_bytes")),
        )
        records = self.events + self.receipts + self.transitions + self.typed
        self.kafka = KafkaTraffic(
            produced_gb=gigabytes(records.per_month, of("record_bytes")),
            peak_produced_mb_per_second=records.peak_per_second * of("record_bytes") / BYTES_PER_MB,
            stored_gb=kept(records, "record_bytes", "records_kept_days"),
            partitions=of("partitions"),
        )

    def _programs(self, load: Load) -> None:
        of = load.quantity
        self.authorize = self._function(self.connects, "authorize")
        self.presence_calls = self.connects * 2 + self.heartbeats + self.typed
        self.presence_function = self._function(self.presence_calls, "presence")
        self.act = self._function(self.actions, "act")
        self.fallback = self._function(self.syncs, "sync")
        self.directory = self._function(self.changes + self.connects, "directory")
        self.media_api = self._function(self.uploads * 3 + self.viewed, "media")
        self.changed = self.events * 4 + self.cursors  # items of both streams that the relay sees
        self.relay = self._function(self.changed / of("changes_per_batch"), "relay")
        minutes = Figure(of("one").value * MINUTES_PER_MONTH, "43,800 minutes")
        self.sweep = self._function(Rate(minutes, minutes / SECONDS_PER_MONTH), "directory")
        self.notify = self._function(self.away / of("pushes_per_batch"), "push")
        self.fan_out_pods = at_least(1, self.deliveries.peak_per_second / of("deliveries_per_pod"))
        self.inspection_pods = at_least(1, self.uploads.peak_per_second / of("uploads_per_pod"))
        by_connections = self.connected_at_peak / of("connections_per_pod")
        by_frames = (self.frames_in + self.frames_out).peak_per_second / of("gateway_frames_per_pod")
        self.gateway_pods = at_least(
            1, by_connections if by_connections.value > by_frames.value else by_frames
        )
        self.images_gb = of("image_gb")
        answered = self.events + self.cursors + self.heartbeats
        posted = self.live + self.receipts + self.presence_told
        self.sockets = SocketTraffic(
            connects=self.connects,
            received=self.frames_in,
            answered=answered,
            posted=posted,
            connection_minutes=self.connection_minutes,
            peak_connections=self.connected_at_peak,
            sent_bytes=of("frame_bytes"),
            largest_kb=of("largest_frame_kb"),
        )
        exchanged = gigabytes((self.frames_in + answered + posted).per_month, of("frame_bytes"))
        self.fleet = ConnectionTraffic(
            opened_per_second=self.connects.per_month / SECONDS_PER_MONTH,
            open_at_once=self.connection_minutes * SECONDS_PER_MINUTE / SECONDS_PER_MONTH,
            exchanged_gb=exchanged,
        )
        # The edge counts a socket as one request; what goes through it is spread over them.
        per_socket = (answered + posted).per_month / self.connects.per_month * of("frame_bytes")
        from_clients = self.frames_in.per_month / self.connects.per_month * of("frame_bytes")
        self.fleet_edge = EdgeTraffic(self.connects, per_socket, self.connects, from_clients)
        self.edge = EdgeTraffic(self.viewed, of("media_bytes"), NEVER, of("request_bytes"))
        self.network = NetworkTraffic(
            # The programs post frames and queue pushes through the NAT; DynamoDB and S3 have endpoints.
            outbound_gb=gigabytes(self.live.per_month + self.away.per_month, of("frame_bytes")),
            internet_gb=NEVER.per_month,
            outbound_connections=at_least(ZONES, self.fan_out_pods * 64),
            cross_zone_gb=gigabytes((self.deliveries + self.events).per_month, of("record_bytes")),
            flow_log_gb=NEVER.per_month,
        )

    def _colder(self, stored_gb: Figure, share: str) -> tuple[Figure, Figure, Figure]:
        """What a colder class holds, the objects that come to it in a month, and what is read of it."""
        of = self._load.quantity
        held = stored_gb * of(share)
        return held, self.uploads.per_month, held * of("read_again")

    def _function(self, calls: Rate, name: str) -> FunctionTraffic:
        of = self._load.quantity
        return FunctionTraffic(calls, of(f"{name}_ms"), of("log_bytes"), of("metrics"))
