"""The command `sengu`, one module per command. Owns no data; may import every room."""
