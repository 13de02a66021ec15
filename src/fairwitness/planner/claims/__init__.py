"""Published claims as data, and what our formulas make of them."""
