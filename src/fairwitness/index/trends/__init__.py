"""Bursting words, hashtags, links and copied texts, in bounded memory."""

from fairwitness.index.trends.items import PostItems, items_in, items_of, names_of
from fairwitness.index.trends.listing import Listed, Listing, chart_of, chart_path, listing
from fairwitness.index.trends.sketch import Bounds
from fairwitness.index.trends.trend import Chart, Shown, Trend, read_chart, write_chart
from fairwitness.index.trends.trends import Trends

__all__ = [
    "Bounds",
    "Chart",
    "Listed",
    "Listing",
    "PostItems",
    "Shown",
    "Trend",
    "Trends",
    "chart_of",
    "chart_path",
    "items_in",
    "items_of",
    "listing",
    "names_of",
    "read_chart",
    "write_chart",
]
