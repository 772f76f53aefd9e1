"""The handlers of the URL shortener: the owners' API, the redirect, and the consumer that counts clicks."""
