"""Lambda's event source mappings of streams: Kinesis, DynamoDB streams and Kafka, driven as AWS documents them.

The core knows nothing of MiniStack, and time, source, function and destination are handed to it: `settings`
(what a mapping says), `records`, `responses` (what a function's answer means), `assembly` (how a batch comes
together), `delivery` (retries, bisecting, giving up), `tumbling` (windows with state), `consumer` (one shard),
`on_failure` (the record of what was given up), `validation` (what a mapping may say), `kafka_events`.

Around it: `streams` reads MiniStack's shards, `kafka` a cluster, `functions` invokes, `destinations` delivers
what was given up, `permissions` asks IAM, and `mappings` runs one mapping. `parts/streams.py` plugs them in.
"""
