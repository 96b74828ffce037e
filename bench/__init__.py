"""Our rates beside RQ's, measured in one run on one server. See README.md."""
