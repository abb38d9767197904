"""The samples of a run: which there are, which come when, and their labels and targets."""
