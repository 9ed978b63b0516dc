"""Which pictures show the same. Owns data/duplicates.csv; imports base and pictures."""
