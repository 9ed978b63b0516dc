"""Places where the commands find the outputs of stages: paths below the folder that holds params.yaml."""

from pathlib import Path

from sengu.base.errors import SenguError

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


def check_project() -> None:
    """Raises SenguError if the current folder is not a project, and names one above it that is."""
    from sengu.base.params import PARAMS  # whose pydantic `sengu predict` need not wait for

    if PARAMS.is_file() or Path("dvc.yaml").is_file():
        return
    here = Path.cwd()
    above = next((folder for folder in here.parents if (folder / PARAMS).is_file()), None)
    cure = f"run `cd {above}`, and try again" if above else "go to the folder of a project, and try again"
    raise SenguError(f"no project here: {here} has no {PARAMS}: {cure}")
