"""fairwitness: live posts in, verified and cited answers out."""

__version__ = "0.1.0"
