"""What we are worth, measured by commands that anyone can run."""
