"""How weights are stepped: optimisers, learning rates, and weights that stay as they are."""
