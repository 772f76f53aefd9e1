"""Aurora over several regions: the writes that are replicated to the other regions, and their bytes.

Each region's cluster pays for itself where it stands; one whose global database is in no stack here shows these lines
itself. Facts: https://aws.amazon.com/rds/aurora/pricing/ , Global Database
"""

from __future__ import annotations

from workbench.review import aurora
from workbench.review.room import Room

ROOM = Room(
    type="AWS::RDS::GlobalCluster",
    classification="usage",
    usage=aurora.GLOBAL_USAGE,
    lines=aurora.replication_lines,
)
