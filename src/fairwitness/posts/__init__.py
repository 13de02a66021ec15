"""What a post is, where posts come from, and how none is lost."""
