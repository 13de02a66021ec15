"""Training: loss and tokens, meshes, the time of a step, failures."""
