"""The folders in .sengu/, where work is kept from run to run; Git and DVC leave them alone."""

from pathlib import Path

ROOT = Path(".sengu")

WARC = ROOT / "warc"  # indexes of archive files
CRAWLS = ROOT / "crawls"  # when each site was last crawled on this machine
OBJECTS = ROOT / "objects"  # what became of each record
LOCKS = ROOT / "locks"  # the process that crawls a site, or fills its tree, now
VERIFIED = ROOT / "verified.sqlite"  # when each file, and each object of a remote, was last found whole
LIKENESSES = ROOT / "likenesses"  # of pairs of pictures
NEIGHBOURS = ROOT / "neighbours"  # pairs of pictures with near hashes
EMPTY = ROOT / "empty"  # a layer of a mount
REMOTE = ROOT / "remote"  # the last bill of a remote
ERASE_COMMANDS = ROOT / "erase-commands.sh"

DUPLICATES = ROOT / "duplicates"
PREPARED = ROOT / "prepared"
FEATURES = ROOT / "features"
TRAINING = ROOT / "training"
EMBEDDINGS = ROOT / "embeddings"
THUMBNAILS = ROOT / "thumbnails"  # of the labelling page

# folders with pictures, or data that can be turned back into them: erasing an object empties them
OF_PICTURES = (DUPLICATES, PREPARED, FEATURES, TRAINING, EMBEDDINGS, THUMBNAILS)
