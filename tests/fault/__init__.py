"""Lost requests, lost replies, killed processes."""
