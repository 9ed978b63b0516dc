"""What people say pictures are, how far to doubt it, and what to ask next. Owns labels/ and data/label.csv; imports base."""
