"""What a rerun need not make again. Owns the files of .sengu that it is given; imports base."""
