"""One module for each verb (its docstring is its help, `run` gives its result), and two parts."""
