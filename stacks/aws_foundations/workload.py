"""Who does what how often: a guestbook, read far more than it is written in."""

from __future__ import annotations

from typing import Literal

from workbench.blueprint import Choice
from workbench.workload import Action, Quantity, Workload

LOGS_THROUGH: Choice[Literal["the_cheaper", "nat", "endpoint"]] = Choice(
    key="logs_through",
    options=("the_cheaper", "nat", "endpoint"),
    question="do logs leave more cheaply through the NAT gateways, or through an endpoint in each zone?",
    compared=("nat", "endpoint"),
)

WORKLOAD = Workload(
    actions={
        "write": Action("0.2", peak_factor="5", why="one visitor in five leaves an entry"),
        "read": Action("4", peak_factor="5", why="whoever comes looks at a few entries"),
        "list": Action("1", peak_factor="5"),
    },
    quantities={
        # Sizes. Estimates, but for the text: tests/aws_foundations holds the limits of the service.
        "row_bytes": Quantity("900", "bytes/entry", "the row, its index and PostgreSQL's own bytes"),
        "item_bytes": Quantity("700", "bytes/entry", "the item, with DynamoDB's 100"),
        "object_bytes": Quantity("600", "bytes/entry"),
        "record_bytes": Quantity("700", "bytes/entry", "the record, its key and Kafka's own bytes"),
        "author_bytes": Quantity("150", "bytes/author", "the item, with DynamoDB's 100"),
        "marker_bytes": Quantity("160", "bytes/entry"),
        "cached_bytes": Quantity(
            "2500", "bytes/entry", "an entry as it is answered, and the cache's own bytes"
        ),
        "response_bytes": Quantity("1500", "bytes/response", "an entry from three stores, and headers"),
        "request_bytes": Quantity("1200", "bytes/request"),
        "log_bytes": Quantity("350", "bytes/request", "one line"),
        "count_log_bytes": Quantity("1500", "bytes/call", "Lambda's own three lines, and ours"),
        "flow_log_bytes": Quantity("120", "bytes/refused connection"),
        "image_gb": Quantity("1", "GB", "ten images of a tenth each"),
        # How long things are kept.
        "entries_kept_days": Quantity("1825", "days", "for good: the bill is that of the fifth year"),
        "records_kept_days": Quantity("7", "days", "the topic's retention"),
        "markers_kept_days": Quantity("30", "days", "the function's MARKER_LIFETIME_S"),
        "cached_days": Quantity("0.000694", "days", "a minute: the service's CACHE_SECONDS"),
        "backups_kept": Quantity("5", "times the data", "35 nights, of which most hold what changed"),
        # Habits.
        "authors": Quantity("0.2", "of users write entries"),
        "hottest_author": Quantity("0.001", "of all entries"),
        "alone": Quantity("0.000001", "of the writes share a key", "each key is written once"),
        "records_per_batch": Quantity("20", "records/call"),
        "requests_per_object": Quantity("1", "requests/entry"),
        "read_from_stores": Quantity(
            "0.5", "of reads are not in the cache", "an entry is looked at when it is new"
        ),
        "cache_commands": Quantity("2", "commands/read", "a look, and for half of them a write"),
        "refused": Quantity(
            "0.02", "refused connections/request", "who knocks at every address of the internet"
        ),
        "out_through_nat": Quantity(
            "0.1", "of the bytes answered", "calls of AWS's APIs that have no endpoint, logs aside"
        ),
        "across_zones": Quantity(
            "4", "times the bytes written", "to the proxy, the standby and two more brokers"
        ),
        # Rates that one machine bears: guesses for a t4g.micro. Offline: `make bench`.
        "requests_per_instance": Quantity(
            "100", "requests/s", "a tenth of what Node.js answers without stores"
        ),
        "connections_per_instance": Quantity("10", "connections", "the service's pool"),
        "connections_out": Quantity("4", "connections", "each program's to the busiest of AWS's APIs"),
        "count_ms": Quantity("150", "ms", "twenty transactions"),
        # Units of DynamoDB, from the programs' calls: in a transaction a write costs two.
        "entry_writes": Quantity("1", "WRU/entry"),
        "entry_reads": Quantity("1", "RRU/read", "strongly consistent"),
        "list_reads": Quantity("2", "RRU/list", "twenty entries, eventually consistent"),
        "author_writes": Quantity("2", "WRU/entry"),
        "marker_writes": Quantity("2", "WRU/entry"),
        "count_metrics": Quantity("3", "metrics"),
        "lookups": Quantity("43800", "lookups/program", "one a minute, for as long as an answer is kept"),
        "kafka_partitions": Quantity("6", "partitions", "the topic's"),
        "one": Quantity("1", ""),
    },
)
