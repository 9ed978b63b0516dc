"""One module per command of `sengu handover`."""
