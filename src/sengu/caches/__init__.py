"""Working caches, which save a rerun from making things again. Owns the files of .sengu that it is given; imports base."""
