"""The journal's insides: its lines, how they get into the file, and what they prove."""
