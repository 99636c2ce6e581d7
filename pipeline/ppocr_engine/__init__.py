"""What runs a network: read from and written into its config.pbtxt, checked, and opened."""
