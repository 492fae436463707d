"""The test sets of super-resolution papers."""
