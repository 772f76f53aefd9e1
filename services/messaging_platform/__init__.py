"""The long-lived programs of the messaging platform: `python -m services.messaging_platform.<program>`."""
