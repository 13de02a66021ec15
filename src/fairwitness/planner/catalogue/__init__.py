"""Figures of chips, servers, networks, sites, regions and prices, each with source and date."""

from fairwitness.planner.catalogue.rows import KINDS, Catalogue, Figure, Row, bundled, read_files

__all__ = ["KINDS", "Catalogue", "Figure", "Row", "bundled", "read_files"]
