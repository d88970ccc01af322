"""``python -m lox24_async``: the program ``lox24``."""

from .cli import main

if __name__ == "__main__":
    main()
