"""python -m ilsvrc."""

from ilsvrc.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
