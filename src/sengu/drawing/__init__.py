"""Pixels and names -> pictures for people: fonts, contact sheets, thumbnails. Owns no data; imports base."""
