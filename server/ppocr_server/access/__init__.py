"""Who may do what: keys, tokens, certificates."""
