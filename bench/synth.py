"""How long the catalogue takes to synthesize, against a CDK app that is one empty stack.

Every figure is the best of a few fresh processes. "Import" is importing aws_cdk,
starting its Node.js, and importing the stacks with the modules of aws_cdk and the constructs that they need.
"""

from __future__ import annotations

from typing import Any

from bench.fresh import Bench
from bench.table import Row, Table, compared
from workbench import catalogue

ROUNDS = 3
BARE, WHOLE, RULES = "bare", "catalogue", "url_shortener+rules"
_CALLED = {
    BARE: "a bare app of one empty stack",
    WHOLE: "the whole catalogue",
    RULES: "url_shortener with CDK's own validation",
}


def run(bench: Bench) -> Table:
    """Seconds of whole processes, and of their phases."""
    taken: dict[str, list[tuple[float, dict[str, Any]]]] = {kind: [] for kind in _CALLED}
    for round_ in range(ROUNDS):
        for kind, runs in taken.items():
            phases, seconds = bench.probe("synth", kind, str(bench.scratch / f"synth-{kind}-{round_}"))
            runs.append((seconds, phases))
    best = {kind: min(runs, key=lambda one: one[0]) for kind, runs in taken.items()}
    peer, peer_phases = best[BARE]
    rows = [Row(_CALLED[BARE], peer, "s")]
    rows += [Row(f"· {phase}", peer_phases[phase], "s") for phase in peer_phases]
    for kind in (WHOLE, RULES):
        seconds, phases = best[kind]
        rows.append(compared(_CALLED[kind], seconds, "s", peer, "bare"))
        rows += [compared(f"· {phase}", phases[phase], "s", peer_phases[phase], "bare") for phase in phases]
    return Table(
        "synth",
        "Synthesis",
        tuple(rows),
        (
            f"Best of {ROUNDS} fresh processes each, in turn; blueprints in the catalogue: {len(catalogue.names())}.",
            "Validation is off but where it says otherwise.",
        ),
    )
