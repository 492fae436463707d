"""What to train. `--config=NAME` finds each of these modules by its name."""
