"""One module per command of `sengu objects`."""
