"""What may be wrong with a network, before, while and after it is trained."""
