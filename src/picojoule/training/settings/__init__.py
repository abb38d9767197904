"""What decides a training run: its settings, what each may be, and how a user states them."""
