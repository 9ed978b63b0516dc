"""`sengu objects`: one module per command."""
