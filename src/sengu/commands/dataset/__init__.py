"""`sengu dataset`: one module per command."""
