"""A clone -> a Git pre-push hook that offers to push the data as well."""

import subprocess
from pathlib import Path

import click

from sengu.base.errors import SenguError

MARK = "# sengu: the data goes with the commits"
# stdin is Git's list of refs; the question goes to the terminal, if there is one
HOOK = f"""\
#!/bin/sh
{MARK}
if ! sengu remote check --quiet-if-right; then
    if (printf 'The remote lacks data of these commits. Run `make push` now? [Y/n] ' > /dev/tty) 2> /dev/null; then
        read answer < /dev/tty
        case "$answer" in n*|N*) exit 0 ;; esac
        make push
    else
        echo 'the remote lacks data of these commits: run `make push`' >&2
    fi
fi
"""


@click.command("hook")
@click.option("--remove", is_flag=True, help="Remove the hook.")
def command(remove: bool) -> None:
    """Install a Git pre-push hook that checks whether the data is pushed, and offers to push it."""
    git_folder = subprocess.run(["git", "rev-parse", "--git-path", "hooks"], capture_output=True, text=True, check=False)
    if git_folder.returncode:
        raise SenguError("this is no Git repository: run it in the folder that holds params.yaml")
    path = Path(git_folder.stdout.strip()) / "pre-push"
    is_ours = path.is_file() and MARK in path.read_text(encoding="utf-8")
    if path.is_file() and not is_ours:
        raise SenguError(f"{path} already exists and is not Sengu's: add the line `sengu remote check` to it by hand")
    if remove:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HOOK, encoding="utf-8")
    path.chmod(0o755)
    click.echo(path)
