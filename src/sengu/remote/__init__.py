"""The DVC remotes: which there are, what must lie in them, what does, and what it means. Owns no output."""
