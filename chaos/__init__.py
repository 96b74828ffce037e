"""Jobs by the hundred thousand while a seeded script breaks things. Run it by `make chaos`."""
