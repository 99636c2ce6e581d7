"""What is compared with what is known to be on a picture."""
