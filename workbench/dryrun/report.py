"""What a dry run found, as data; `as_json` is the contract of `blueprint dry-run --json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.blueprint import Stage
from workbench.dryrun.grants import Decision, Grant
from workbench.dryrun.localise import Difference
from workbench.dryrun.world import Step


@dataclass
class Report:
    """One dry run. `log` holds the last lines that the functions wrote before a step failed."""

    name: str
    title: str
    promise: str
    stage: Stage = "sandbox"
    phases: dict[str, float] = field(default_factory=dict)
    total: int = 0
    substituted: list[Difference] = field(default_factory=list)
    skipped: list[Difference] = field(default_factory=list)
    through_api: list[Difference] = field(default_factory=list)  # deployed, by the emulator's API
    notes: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    denied: list[Decision] = field(default_factory=list)
    unused_grants: list[Grant] = field(default_factory=list)
    policies: dict[str, str] = field(default_factory=dict)  # stack/role/policy → its JSON, as deployed
    left_behind: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # how to talk to an offline AWS that was left up

    @property
    def seconds(self) -> float:
        return sum(self.phases.values())

    @property
    def deployed(self) -> int:
        return self.total - len(self.substituted) - len(self.skipped)

    @property
    def passed(self) -> bool:
        """No step failed, at least one passed, nothing was refused, and a sandbox left nothing."""
        played = any(step.passed for step in self.steps) and not any(step.failed for step in self.steps)
        cleared = not self.left_behind or self.stage == "production"  # which keeps its data, and should
        return played and not self.denied and cleared

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "phases": {phase: round(seconds, 3) for phase, seconds in self.phases.items()},
            "resources": {
                "total": self.total,
                "deployed": self.deployed,
                "through_api": [vars(difference) for difference in self.through_api],
                "substituted": [vars(difference) for difference in self.substituted],
                "skipped": [vars(difference) for difference in self.skipped],
            },
            "notes": self.notes,
            "steps": [
                {
                    "name": step.name,
                    "passed": step.passed,
                    "seconds": round(step.seconds, 3),
                    "error": step.error,
                    "not_played": step.not_played,
                }
                for step in self.steps
            ],
            "denied": [
                {"role": each.role, "action": each.action, "resource": each.resource} for each in self.denied
            ],
            "unused_grants": [
                {"role": each.role, "action": each.action, "resources": list(each.resources)}
                for each in self.unused_grants
            ],
            "left_behind": self.left_behind,
            "log": self.log,
        }
