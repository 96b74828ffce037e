"""Modules that can't be imported, each in its own way, and one that can."""
