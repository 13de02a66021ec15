"""Inference on machines that are idle part of the week."""
