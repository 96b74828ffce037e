"""Other systems' libraries, on real jobs."""
