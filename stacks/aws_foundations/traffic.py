"""From what users do to what each resource is asked: the map that the bill and the limits are made of."""

from __future__ import annotations

from patterns.network import ZONES
from patterns.traffic import (
    BucketTraffic,
    CacheTraffic,
    DatabaseTraffic,
    EdgeTraffic,
    FunctionTraffic,
    KafkaTraffic,
    NetworkTraffic,
    TableTraffic,
    WebTraffic,
    at_least,
)
from workbench.workload import NEVER, Load, gigabytes

BYTES_PER_MB = 10**6
TIERS = 2  # the same service on virtual machines and in pods; each is sized for all of it


class Traffic:
    """The traffic of every resource of the stack at one load."""

    def __init__(self, load: Load) -> None:
        of = load.quantity
        self.written, self.read, self.listed = load.rate("write"), load.rate("read"), load.rate("list")
        self.requests = self.written + self.read + self.listed
        self.looked_up = self.read * of("read_from_stores")
        written_gb = gigabytes(self.written.per_month, of("request_bytes"))
        answered_gb = gigabytes(self.requests.per_month, of("response_bytes"))

        self.log_gb = gigabytes(self.requests.per_month, of("log_bytes"))

        rows_gb = load.stored_gb("write", "row_bytes", "entries_kept_days")
        serving = self.requests.peak_per_second / of("requests_per_instance")
        programs = at_least(TIERS * ZONES, serving * TIERS)
        self.network = NetworkTraffic(
            outbound_gb=answered_gb * of("out_through_nat"),
            internet_gb=NEVER.per_month,  # visitors are answered by the edge, and AWS is not the internet
            outbound_connections=programs * of("connections_out"),
            cross_zone_gb=written_gb * of("across_zones"),
            flow_log_gb=gigabytes(self.requests.per_month * of("refused"), of("flow_log_bytes")),
            peak_outbound_mb_per_second=self.requests.peak_per_second
            * of("response_bytes")
            / BYTES_PER_MB
            * of("out_through_nat"),
        )
        self.database = DatabaseTraffic(
            stored_gb=rows_gb,
            peak_connections=programs * of("connections_per_instance"),
            backup_gb=NEVER.per_month,  # what RDS keeps itself fits in what is free; the vault holds the rest
        )
        self.entries = TableTraffic(
            writes=self.written * of("entry_writes"),
            reads=self.looked_up * of("entry_reads") + self.listed * of("list_reads"),
            stored_gb=load.stored_gb("write", "item_bytes", "entries_kept_days"),
            hottest_key_share=of("hottest_author"),
        )
        self.authors = TableTraffic(
            writes=self.written * of("author_writes"),
            reads=NEVER,
            stored_gb=gigabytes(load.people("authors"), of("author_bytes")),
            hottest_key_share=of("hottest_author"),
        )
        self.counted = TableTraffic(
            writes=self.written * of("marker_writes"),
            reads=NEVER,
            stored_gb=load.stored_gb("write", "marker_bytes", "markers_kept_days"),
            hottest_key_share=of("alone"),
        )
        self.objects = BucketTraffic(
            puts=self.written * of("requests_per_object"),
            gets=self.looked_up,
            stored_gb=load.stored_gb("write", "object_bytes", "entries_kept_days"),
            egress_gb=NEVER.per_month,  # the service answers with them
        )
        self.cache = CacheTraffic(
            peak_commands_per_second=self.read.peak_per_second * of("cache_commands"),
            stored_gb=load.stored_gb("read", "cached_bytes", "cached_days"),
        )
        self.kafka = KafkaTraffic(
            produced_gb=gigabytes(self.written.per_month, of("record_bytes")),
            peak_produced_mb_per_second=self.written.peak_per_second * of("record_bytes") / BYTES_PER_MB,
            stored_gb=load.stored_gb("write", "record_bytes", "records_kept_days"),
            partitions=of("kafka_partitions"),
        )
        self.web = WebTraffic(
            requests=self.requests,
            exchanged_gb=written_gb + answered_gb,
            requests_per_second_per_instance=of("requests_per_instance"),
            log_gb=self.log_gb,
        )
        self.edge = EdgeTraffic(self.requests, of("response_bytes"), self.written, of("request_bytes"))
        self.count = FunctionTraffic(
            self.written / of("records_per_batch"), of("count_ms"), of("count_log_bytes"), of("count_metrics")
        )
        self.backups_gb = rows_gb * of("backups_kept")
        self.names_asked = programs * of("lookups")
        self.images_gb = of("image_gb")
