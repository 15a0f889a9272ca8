"""What scripts/grade is made of."""
