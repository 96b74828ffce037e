"""Side by side with RQ."""
