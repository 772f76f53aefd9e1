"""Who may open a socket: whoever shows a ticket that the directory has given out, once."""
