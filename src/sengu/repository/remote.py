"""The default DVC remote -> here, or an error that names it: of a folder that is missing, `dvc pull` does not say which."""

from pathlib import Path

from dvc.repo import Repo

from sengu.base.errors import SenguError, run_program


def local(folder: Path) -> tuple[str, Path] | None:
    """Name and path of the default remote of the DVC repository in `folder`, if it is a folder."""
    with Repo(str(folder)) as repo:
        if not repo.config["core"].get("remote"):
            return None
        remote = repo.cloud.get_remote()
        return (remote.name, Path(remote.path)) if remote.fs.protocol == "local" else None


def check(folder: Path) -> None:
    """Raises SenguError if the default remote is a folder that is not there."""
    name, path = local(folder) or ("", folder)
    if not path.is_dir():
        raise SenguError(
            f"remote {name!r} is the folder {path}, which is not here: mount or copy it, or name another with "
            "`dvc remote add --default --force`; README.md, hand-over"
        )


def main(arguments: list[str]) -> None:
    check(Path(arguments[0]))


if __name__ == "__main__":
    run_program(main, "REPOSITORY")
