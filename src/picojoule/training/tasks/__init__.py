"""What is learned: classes, a user's own task, a teacher's answers."""
