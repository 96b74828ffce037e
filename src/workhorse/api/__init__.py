"""What users hold: queues, jobs, results, workers.

Its one rule: thin. Each method is an operation and a place to send it to.
"""
