"""`python -m services.messaging_platform.inspection`: the environment is `InspectSettings`, `PORT` and `HOST`."""

from __future__ import annotations

import os
import sys
import threading

from lambdas.messaging_platform.settings import InspectSettings
from lambdas.shared.settings import SettingsError
from services.messaging_platform.health import serve
from services.messaging_platform.inspection.inspection import Inspection
from services.messaging_platform.inspection.program import Program
from services.messaging_platform.inspection.scan import EicarScanner
from services.messaging_platform.inspection.store import Queue, Store
from services.messaging_platform.running import until_told
from services.messaging_platform.telemetry import Metrics, logger_of

NAME = "inspection"


def main() -> int:
    """0 when it was told to end, 1 when it could not go on, 2 when its environment is not whole."""
    try:
        settings = InspectSettings.from_environment()
    except SettingsError as problem:
        print(f"{NAME}: {problem}", file=sys.stderr)  # noqa: T201  there is no log yet
        return 2
    log, metrics, stopping = logger_of(NAME), Metrics(NAME), threading.Event()
    inspection = Inspection(Store(settings), EicarScanner(), log, metrics, bucket=settings.uploads_bucket)
    program = Program(Queue(settings.uploads_queue_url), inspection.handle, log, metrics, stopping)
    with serve(int(os.environ.get("PORT", "8080")), program.is_ready, os.environ.get("HOST", "")):
        log.info("started")
        well = until_told(program.run, stopping, log)
    log.info("ended")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
