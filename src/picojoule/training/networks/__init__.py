"""The networks that a run can train: ours, and those a user names."""
