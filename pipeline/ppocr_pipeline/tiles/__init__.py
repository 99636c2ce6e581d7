"""Pictures that are read in tiles: whether, at which size, and how the tiles' maps are joined."""
