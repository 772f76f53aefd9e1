"""The presence service: who is connected, who types, and who was last seen when."""
