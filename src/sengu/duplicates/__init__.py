"""Groups of pictures that show the same. Owns data/duplicates.csv and duplicate_groups.csv; imports base and pictures."""
