"""A site for chips: its power, and whether to build, colocate or rent."""
