"""The DVC remotes and their contents. Owns .dvc/config.local; imports base, repository, warc, objects and drawing."""
