"""One module per command of `sengu remote`."""
