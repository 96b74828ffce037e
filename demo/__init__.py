"""The main job, from end to end, on real input. Run it by `make demo`."""
