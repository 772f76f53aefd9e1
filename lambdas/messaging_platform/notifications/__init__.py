"""The notification service: a push for a device that is away, after a grace time, one per chat."""
