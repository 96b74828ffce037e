"""The processes that run jobs: one supervisor, its workers, and the ledger between them."""
