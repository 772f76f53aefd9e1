"""Who does what how often: a hundred redirects for every link made, and owners who look now and then."""

from __future__ import annotations

from workbench.blueprint import Choice
from workbench.workload import Action, Quantity, Workload

COUNTERS = Choice(
    key="counters",
    options=("on_demand", "provisioned"),
    question="are the tables that clicks are counted in cheaper by the request or by the hour?",
)

WORKLOAD = Workload(
    actions={
        "redirect": Action(
            "5", peak_factor="5", why="a link is followed a hundred times for each time one is made"
        ),
        "shorten": Action("0.05", peak_factor="5"),
        "list": Action("0.05", peak_factor="5", why="owners look at their links as often as they make one"),
        "stats": Action("0.05", peak_factor="5"),
        "delete": Action("0.002", peak_factor="5"),
        "sign_in": Action(
            "0.01", peak_factor="10", why="a session lasts a month; Monday morning is the busy hour"
        ),
    },
    quantities={
        # Sizes. tests/url_shortener/test_workload.py weighs what the handlers write, on the real input.
        "link_bytes": Quantity(
            "650", "bytes/link", "the item and its index entry, DynamoDB's 100 each included"
        ),
        "click_counters_bytes": Quantity("1360", "bytes/link", "ten days with clicks, 136 each"),
        "click_marker_bytes": Quantity("140", "bytes/click"),
        "key_bytes": Quantity("312", "bytes/key"),
        # Sizes that are estimates.
        "response_bytes": Quantity(
            "700", "bytes/response", "status line and headers; a redirect has no body"
        ),
        "request_bytes": Quantity("1500", "bytes/request", "a URL, and a token of a thousand"),
        "log_bytes": Quantity("1500", "bytes/call", "Lambda's own three lines, and ours"),
        "access_log_bytes": Quantity("450", "bytes/request"),
        # How long things are kept.
        "links_kept_days": Quantity("1825", "days", "for good: the bill is that of the fifth year"),
        "markers_kept_days": Quantity("30", "days", "the handlers' MARKER_LIFETIME_S"),
        "keys_kept_days": Quantity("1", "days", "the handlers' KEY_LIFETIME_S"),
        # Habits.
        "with_key": Quantity(
            "1", "of links made with an idempotency key", "a careful client always sends one"
        ),
        "owners": Quantity("0.1", "of users own links", "the others only follow them"),
        "clicks_per_count": Quantity("4", "clicks/counter update", "those of one link in one batch"),
        "clicks_per_batch": Quantity("50", "clicks/batch", "half of a full batch of 100"),
        "hottest_link": Quantity("0.01", "of all redirects go to the hottest link"),
        "hottest_counter": Quantity(
            "0.0005", "of all counter updates", "the hottest link's, up to 99 clicks in each"
        ),
        "alone": Quantity("0.000001", "of the writes share a key", "each key is written once"),
        # Times: guesses for a small function on AWS. Offline a redirect takes a few milliseconds (`make bench`).
        "redirect_ms": Quantity("25", "ms"),
        "manage_ms": Quantity("60", "ms"),
        "count_ms": Quantity("300", "ms", "a batch of fifty: a dozen transactions"),
        # Units of DynamoDB, from the handlers' calls: in a transaction a write costs two.
        "shorten_writes": Quantity("2", "WRU/link"),
        "shorten_index_writes": Quantity("1", "WRU/link", "the index's entry"),
        "delete_writes": Quantity("1", "WRU/deletion", "the tombstone"),
        "delete_index_writes": Quantity("1", "WRU/deletion", "out of the index"),
        "key_writes": Quantity("2", "WRU/key"),
        "marker_writes": Quantity("2", "WRU/click"),
        "count_writes": Quantity("2", "WRU/counter update"),
        "redirect_reads": Quantity("1", "RRU/redirect", "strongly consistent: a deletion holds at once"),
        "list_reads": Quantity("1", "RRU/page", "20 links of the index, eventually consistent"),
        "link_reads_of_stats": Quantity("1", "RRU/request", "whose link it is"),
        "stats_reads": Quantity("0.5", "RRU/request", "thirty counters, eventually consistent"),
        "queue_requests": Quantity(
            "1.04", "requests/click", "one to send; received and deleted 50 at a time"
        ),
        # Metrics that the handlers send.
        "redirect_metrics": Quantity("5", "metrics"),
        "manage_metrics": Quantity("4", "metrics"),
        "count_metrics": Quantity("3", "metrics"),
    },
)
