"""What ``lox24 cancel`` does: a job, and the ways to say which bulks it is about."""
