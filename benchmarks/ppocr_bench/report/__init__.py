"""One page, tables and plots from the results of any verbs."""
