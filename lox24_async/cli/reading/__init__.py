"""Understanding what is typed, and what is in files."""
