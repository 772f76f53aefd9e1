"""Who does what how often: a hundred redirects for every link made, and owners who look now and then."""

from __future__ import annotations

from workbench.workload import Action, Quantity, Workload

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
        # Measured by tests/url_shortener/test_stack.py on the real input and the handlers' own items and messages.
        "link_bytes": Quantity(
            "420", "bytes/link", "item and index entry of an average URL of 84 characters"
        ),
        "click_counters_bytes": Quantity(
            "600", "bytes of counters/link", "ten days with clicks, 60 bytes each"
        ),
        "click_marker_bytes": Quantity("140", "bytes/marker"),
        "key_bytes": Quantity("312", "bytes/key"),
        "response_bytes": Quantity("700", "bytes/response", "status line, headers, a redirect has no body"),
        "log_bytes": Quantity("1500", "bytes/invocation", "Lambda's own three lines and ours"),
        "access_log_bytes": Quantity("450", "bytes/request"),
        # Chosen.
        "links_kept_days": Quantity(
            "1825", "days", "links are kept for good: the bill is that of the fifth year"
        ),
        "markers_kept_days": Quantity("30", "days", "the handlers' MARKER_LIFETIME_S"),
        "keys_kept_days": Quantity("1", "days", "the handlers' KEY_LIFETIME_S"),
        "with_key": Quantity(
            "1", "of links made with an idempotency key", "a careful client sends one always"
        ),
        "owners": Quantity("0.1", "of users own links", "the others only follow them"),
        "clicks_per_count": Quantity("4", "clicks per counter update", "those of one link in one batch"),
        "clicks_per_batch": Quantity("50", "clicks per batch", "half of a full batch of 100"),
        "hottest_link": Quantity("0.01", "of all redirects go to the hottest link"),
        # Measured offline, on the machine of the benchmarks, and doubled for AWS's slower small functions.
        "redirect_ms": Quantity("25", "ms"),
        "manage_ms": Quantity("60", "ms"),
        "count_ms": Quantity("300", "ms", "a batch of fifty: about a dozen transactions"),
        # Units of DynamoDB, from the handlers' calls: a transaction writes at twice the price.
        "shorten_writes": Quantity("3", "WRU/link", "2 in the transaction, 1 in the index"),
        "delete_writes": Quantity("2", "WRU/deletion", "the tombstone, and out of the index"),
        "key_writes": Quantity("2", "WRU/key"),
        "marker_writes": Quantity("2", "WRU/click"),
        "count_writes": Quantity("2", "WRU/counter update"),
        "redirect_reads": Quantity("1", "RRU/redirect", "strongly consistent, so that a deletion is at once"),
        "list_reads": Quantity("1", "RRU/page", "20 links of the index, eventually consistent"),
        "stats_reads": Quantity("1.5", "RRU/request", "the link for its owner, and thirty counters"),
        "queue_requests": Quantity(
            "1.04", "requests/click", "one to send; received and deleted 50 at a time"
        ),
    },
)
