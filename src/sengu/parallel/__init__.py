"""Processes and threads: how many things are done at once, and where. Owns no data; imports base."""
