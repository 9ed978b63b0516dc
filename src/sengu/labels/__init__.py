"""People's labels, doubts about them, and queues of what to ask next. Owns labels/ and data/label.csv; imports base."""
