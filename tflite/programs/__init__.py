"""The commands `issp-export`, `issp-inspect` and `issp-benchmark`."""
