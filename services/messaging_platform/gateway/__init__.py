"""A WebSocket server of the fleet, in the place of API Gateway's WebSocket API."""
