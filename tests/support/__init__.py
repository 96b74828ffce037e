"""What several tests start or wait for; nothing here replaces our own code."""
