"""What must hold for each implementation, on real servers."""
