"""The files of a run: settings, checkpoints, weights, and the folder that holds them."""
