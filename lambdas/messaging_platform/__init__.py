"""A chat: messaging, presence, media, notifications and the directory, one package a service."""
