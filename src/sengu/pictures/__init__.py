"""Bytes -> pictures as a person sees them -> pixels of the network's size. Owns no data, knows no object; imports base."""

# the distributions that decide what is decoded
LIBRARIES = ("pillow", "opencv-python-headless", "simplejpeg", "pi-heif", "tifffile", "numpy")
