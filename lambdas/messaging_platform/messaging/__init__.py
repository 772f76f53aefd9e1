"""The messaging service: a log per chat, an inbox per device, and what is told of both."""
