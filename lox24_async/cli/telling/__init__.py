"""Writing for people, on stderr, and for machines, on stdout."""
