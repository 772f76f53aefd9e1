"""What runs in the pods of test_kubernetes_engine.py: it says who it is, and as whom AWS knows it.

`GET /` is what it was told in its environment, `/role` as whom it calls AWS, `/ready` and `/alive` are its probes;
after `POST /sick` it is no longer alive. It takes `STARTS_AFTER` seconds to begin.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sick = False

    def do_GET(self) -> None:
        if self.path == "/ready":
            self._answer(200 if os.environ.get("READY", "yes") == "yes" else 503, {})
        elif self.path == "/alive":
            self._answer(503 if Web.sick else 200, {})
        elif self.path == "/role":
            self._answer(200, {"role": _role()})
        else:
            names = ("GREETING", "POD", "SECRET", "NODE", "ZONE", "IP")
            self._answer(200, {name.lower(): os.environ.get(name) for name in names})

    def do_POST(self) -> None:
        Web.sick = True
        self._answer(200, {})

    def _answer(self, status: int, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _role() -> str:
    import boto3

    return str(boto3.client("sts").get_caller_identity()["Arn"])


time.sleep(float(os.environ.get("STARTS_AFTER", "0")))
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Web).serve_forever()
