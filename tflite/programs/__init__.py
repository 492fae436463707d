"""What `issp-export`, `issp-inspect` and `issp-benchmark` do at a shell."""
