"""How fast files are, here and on a phone: what `issp-benchmark` is made of."""
