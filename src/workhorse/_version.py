"""The version, alone, so that building and importing read the same line."""

__version__ = "0.1.0"
