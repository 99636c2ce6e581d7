"""Where the words of a line stand, and at which gaps lines are parted."""
