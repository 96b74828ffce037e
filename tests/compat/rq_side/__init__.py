"""What runs in RQ's own environment, where Workhorse can't be imported."""
