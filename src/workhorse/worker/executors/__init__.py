"""Where a job runs. Each module is one executor; none knows Redis, and none knows another."""
