"""Where the commands look for what the stages make: paths below the folder that holds params.yaml."""

from pathlib import Path

DATA = Path("data")
RAW = DATA / "raw"
CAPTURES = DATA / "captures"
TREES = DATA / "object"
INDEX = DATA / "index"
REJECTED = DATA / "rejected"
FAILED = DATA / "failed"
LABEL = DATA / "label.csv"
CONFLICTS = DATA / "label_conflicts.csv"
DUPLICATES = DATA / "duplicates.csv"
DATASETS = DATA / "dataset"
SPLIT = DATA / "split_label.csv"
PIXELS = DATA / "pixels"
FEATURES = DATA / "features"
EMBEDDINGS = DATA / "embeddings"
RELEASE = Path("models/release")
LABELS = Path("labels")  # annotation sheets
HANDOVER = Path("reports/handover.html")
