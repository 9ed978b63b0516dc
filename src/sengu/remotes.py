"""The default DVC remote -> here, or an error that names it: of a folder that is missing, `dvc pull` does not say which."""

from pathlib import Path

from dvc.repo import Repo

from sengu.errors import SenguError, run_program


def check(folder: Path) -> None:
    """Raises SenguError if the default remote of the DVC repository in `folder` is a folder that is not there."""
    with Repo(str(folder)) as repo:
        remote = repo.cloud.get_remote()
        if remote.fs.protocol == "local" and not Path(remote.path).is_dir():
            raise SenguError(
                f"remote {remote.name!r} is the folder {remote.path}, which is not here: mount or copy it, or name another with "
                "`dvc remote add --default --force`; README.md, hand-over"
            )


def main(arguments: list[str]) -> None:
    check(Path(arguments[0]))


if __name__ == "__main__":
    run_program(main, "REPOSITORY")
