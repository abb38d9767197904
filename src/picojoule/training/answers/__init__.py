"""What a network answers to a sample, read off its outputs and its last neurons."""
