"""Configs of trainings. `--config=NAME` finds each module by its name."""
