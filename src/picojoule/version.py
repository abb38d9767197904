"""The version of the package, which is known before anything else of it."""

__version__ = "0.1.0"
