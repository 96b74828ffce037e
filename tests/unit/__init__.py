"""Pure code: no server, no socket, no waiting."""
