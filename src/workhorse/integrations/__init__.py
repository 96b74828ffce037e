"""What connects Workhorse with other systems, each by an extra of its own."""
