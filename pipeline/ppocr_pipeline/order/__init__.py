"""The order in which lines are answered."""
