"""Measures the speed of files on this host and on phones (`issp-benchmark`)."""
