"""From what users do to what each resource is asked: the map that the bill and the limits are made of."""

from __future__ import annotations

from patterns.traffic import EdgeTraffic, FunctionTraffic, TableTraffic
from workbench.workload import NEVER, Load, Rate


class Traffic:
    """The traffic of every resource of the stack at one load."""

    def __init__(self, load: Load) -> None:
        of = load.quantity
        self._load = load
        self.followed, self.made = load.rate("redirect"), load.rate("shorten")
        self.listed, self.looked, self.deleted = load.rate("list"), load.rate("stats"), load.rate("delete")
        self.managed = self.made + self.listed + self.looked + self.deleted
        self.requests = self.followed + self.managed
        self.batches = self.followed / of("clicks_per_batch")
        self.sign_ins = load.rate("sign_in")
        self.owners = load.people("owners")

        self.links = TableTraffic(
            writes=self.made * of("shorten_writes") + self.deleted * of("delete_writes"),
            reads=self.followed * of("redirect_reads")
            + self.listed * of("list_reads")
            + self.looked * of("link_reads_of_stats"),
            stored_gb=load.stored_gb("shorten", "link_bytes", "links_kept_days"),
            hottest_key_share=of("hottest_link"),
            index_writes=self.made * of("shorten_index_writes") + self.deleted * of("delete_index_writes"),
        )
        self.keys = TableTraffic(
            writes=self.made * of("with_key") * of("key_writes"),
            reads=self.made * of("with_key"),
            stored_gb=load.stored_gb("shorten", "key_bytes", "keys_kept_days"),
            hottest_key_share=of("alone"),
        )
        self.clicks = TableTraffic(
            writes=self.followed * of("count_writes") / of("clicks_per_count"),
            reads=self.looked * of("stats_reads"),
            stored_gb=load.stored_gb("shorten", "click_counters_bytes", "links_kept_days"),
            hottest_key_share=of("hottest_counter"),
        )
        self.markers = TableTraffic(
            writes=self.followed * of("marker_writes"),
            reads=NEVER,
            stored_gb=load.stored_gb("redirect", "click_marker_bytes", "markers_kept_days"),
            hottest_key_share=of("alone"),
        )
        self.edge = EdgeTraffic(self.requests, of("response_bytes"), self.made, of("request_bytes"))
        self.redirect = self._function(self.followed, "redirect")
        self.manage = self._function(self.managed, "manage")
        self.count = self._function(self.batches, "count")

    def _function(self, calls: Rate, name: str) -> FunctionTraffic:
        of = self._load.quantity
        return FunctionTraffic(calls, of(f"{name}_ms"), of("log_bytes"), of(f"{name}_metrics"))
