"""From text to weights: what a model of ours is trained on, and how."""
