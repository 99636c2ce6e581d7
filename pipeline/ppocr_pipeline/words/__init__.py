"""Where the words of a line stand, from the recogniser's time steps."""
