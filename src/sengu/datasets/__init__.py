"""Dataset versions: recipes, merging, cleaning, lineage and metadata. Owns data/dataset; imports base, objects and drawing."""
