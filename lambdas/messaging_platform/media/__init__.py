"""The media service: uploads in parts, and signed addresses for the members of a chat."""
