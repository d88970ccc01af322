"""The commands, a file each: what a person types, and what is then done."""
