"""Fast tasks that differ in what breaks a budget's controller, and what Budget with its defaults makes of each."""
