"""The commands `sengu dataset …`: one module per command, and the proof beside them."""
