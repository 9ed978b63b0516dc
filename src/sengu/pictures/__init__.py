"""Bytes -> pictures as a person sees them -> pixels of the network's size. Owns no data, knows no object; imports base."""
