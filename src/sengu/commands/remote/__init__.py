"""`sengu remote`: one module per command."""
