"""Background tasks. Each has ``run_once(now)``, needs no leader, and may be run by anybody."""
