"""The samples of a run: which there are, which come when, and what stands beside them."""
