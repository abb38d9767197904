"""What a run measures and tells: plain figures."""
