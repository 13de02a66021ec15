"""What ships with the package: a sample of real posts. See ATTRIBUTION.md."""
