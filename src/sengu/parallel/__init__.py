"""The processes that share a stage's work: those of this machine, or of a cluster. Owns no data; imports base."""
