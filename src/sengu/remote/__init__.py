"""The DVC remotes, and what must lie in them. Owns .dvc/config.local; imports base, repository, warc, objects and drawing."""
