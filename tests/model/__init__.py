"""The protocol as a model: every order of events, every crash, searched to the end."""
