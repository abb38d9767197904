"""Other libraries' module names over Picojoule; nothing else in Picojoule imports this."""
