"""Where the words of a line stand: from the recogniser's time steps and the ink of the crop."""
