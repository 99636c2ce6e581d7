"""Every way there is to serve these models, side by side in one run."""
