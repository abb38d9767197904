"""Event-driven inference."""
