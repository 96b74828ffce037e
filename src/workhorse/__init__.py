"""A job queue for Python on Redis or Valkey."""
