"""Compute, energy, cost and runway, on paper: formulas over draws, in base units."""
