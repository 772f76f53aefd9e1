"""A consumer: it takes messages from a queue and says each time so in a table; by HTTP it says that it is well.

Told to end by SIGTERM it says that, too, in its log.
"""

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

import boto3
from shared.told import names  # type: ignore[import-not-found]  # it lies beside, where this runs

ended = threading.Event()


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def end(_: int, __: FrameType | None) -> None:
    sys.stdout.write("ended in order\n")
    ended.set()


def work() -> None:
    queues, tables = boto3.client("sqs"), boto3.client("dynamodb")
    queue, table = os.environ["QUEUE_URL"], os.environ["TABLE"]
    while not ended.is_set():
        answer = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=1)
        for message in answer.get("Messages", []):
            item = {"message": {"S": message["Body"]}, "pod": {"S": names()["pod_name"]}}
            tables.put_item(TableName=table, Item=item)
            queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


signal.signal(signal.SIGTERM, end)
server = ThreadingHTTPServer((os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"])), Health)
threading.Thread(target=server.serve_forever, daemon=True).start()
work()
sys.exit(0)
