"""The commands: ``x.py`` is what a person types for ``x``, ``_x.py`` is what is then done."""
