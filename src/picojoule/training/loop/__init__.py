"""The training itself: one network's steps, epochs, measurements and trim, on one process or many."""
