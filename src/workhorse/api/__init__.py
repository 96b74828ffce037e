"""What users hold: queues, jobs, results, workers. Thin: each method is an operation and a place to send it."""
