"""`sengu handover`: one module per command."""
