"""Programs, each for a process of its own: what they change stays there."""
