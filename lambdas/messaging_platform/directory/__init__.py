"""The directory: accounts, contacts, blocks and groups, of which PostgreSQL holds the truth."""
