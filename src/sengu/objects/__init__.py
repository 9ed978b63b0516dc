"""The object tree: payloads checked, named and stored; ids read back. Owns data/object; imports base, warc and pictures."""
