"""From Kafka to devices: inboxes, sockets and the push queue; and what presence tells whom."""
