"""A seed -> rounds of harm to a real repository: crawls, kills, damages and full disks, each with what must come out of it.

A site of 30 pictures on a real server, and the pipeline from crawl to prepare under DVC. Each round does harm, follows what
the messages say, and must end with the hashes of the beginning; whatever failed on the way must have named its reason.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from project import attempt, copy_of_the_project, environment
from served import Site, page, served

from crawlers.demo import pictures
from crawlers.demo.sites import Answer

PICTURES = 30
REPRO = ("dvc", "repro", "prepare")
# hashes that do not hold the time of a crawl; the others change when a round begins from nothing
TIMELESS = ("data/index/web.csv", "data/rejected/web.csv", "data/label.csv", "data/split_label.csv", "data/pixels")
STAGES = ("crawl@web", "extract@web", "objects@web", "label", "duplicates", "split", "prepare")
CURE = re.compile(r"`((?:sengu heal|cp|git checkout)[^`]*)`")


class Broken(AssertionError):
    """A round that ended otherwise than it must."""


@dataclass
class Soak:
    """One repository, and the chance that harms it."""

    folder: Path
    chance: random.Random
    longest: float = 60.0  # seconds of a run from nothing
    pinned: dict[str, str] = field(default_factory=dict)  # path -> MD5 of all that is pinned
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)  # of rounds, by harm and by how it came out
    log: list[str] = field(default_factory=list)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = attempt(self.folder, *words)
        self.log.append(f"$ {' '.join(words)} -> {done.returncode}\n{done.stdout[-3000:]}")
        if done.returncode:
            if "Traceback" in done.stdout:
                raise Broken(f"{words}: a traceback")
            if not re.search(r"^(error|ERROR): .+", done.stdout, re.MULTILINE) and "sengu" not in words:
                raise Broken(f"{words}: failed without a reason")
        return done

    def must(self, *words: str) -> str:
        done = self.command(*words)
        if done.returncode:
            raise Broken(f"{' '.join(words)} exited with {done.returncode}")
        return done.stdout

    def hashes(self) -> dict[str, str]:
        found = {}
        for lock in ("dvc.lock", "datasets/dvc.lock"):
            for stage in yaml.safe_load((self.folder / lock).read_text())["stages"].values():
                found |= {out["path"]: out["md5"] for out in stage["outs"]}
        return found

    def tree(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "data/object/web").rglob("*") if path.is_file())

    def files(self, *patterns: str) -> list[Path]:
        return sorted(
            path for pattern in patterns for path in self.folder.glob(pattern) if path.is_file() and path.stat().st_size
        )

    def same(self, timeless: bool = False) -> None:
        """Raises Broken unless the pins are those of the beginning, and the files are what is pinned."""
        found = self.hashes()
        differing = [path for path, digest in self.pinned.items() if found.get(path) != digest]
        if timeless:
            differing = [path for path in differing if path in TIMELESS]
            self.pinned = found
        if differing:
            raise Broken(f"other hashes: {', '.join(differing)}")
        self.must("sengu", "verify")
        if timeless:
            self.must("dvc", "push", "--quiet")  # the new archive, whose copies in folder and cache may be one file
        if len(self.tree()) != PICTURES:
            raise Broken(f"{len(self.tree())} objects")


def damaged(path: Path, chance: random.Random) -> str:
    """Changes a file in place, with its size and time as they were; or cuts it, or takes it away."""
    how = chance.choice(["flip", "flip", "flip", "cut", "zeros", "gone"])
    state, data = path.stat(), bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
        return how
    place = chance.randrange(len(data))
    if how == "flip":
        data[place] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del data[place:]
    else:
        data[place:] = bytes(len(data) - place)
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(data)
        stream.truncate(len(data))
    path.chmod(state.st_mode & 0o777)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    return how


def crawl_again(soak: Soak) -> str:
    soak.must("dvc", "repro", "--force", "--single-item", "crawl@web")
    soak.must(*REPRO)
    soak.same()
    return "the same hashes"


def kill(soak: Soak) -> str:
    """Kills DVC, or DVC and the stage that it runs, at any moment; from nothing, or while a stage runs again."""
    from_nothing = soak.chance.random() < 0.3
    if from_nothing:
        for name in ("data", ".sengu"):
            shutil.rmtree(soak.folder / name)
        for name in ("dvc.lock", "datasets/dvc.lock"):
            (soak.folder / name).unlink()
        words, longest = REPRO, soak.longest
    else:
        words, longest = ("dvc", "repro", "--force", "--single-item", soak.chance.choice(STAGES)), soak.longest / 4
    orphan = soak.chance.random() < 0.3
    running = subprocess.Popen(
        words, cwd=soak.folder, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        running.wait(soak.chance.uniform(0, longest))
        how = "ended before the kill"
    except subprocess.TimeoutExpired:
        how = "killed"
    if orphan and how == "killed":
        running.kill()
        running.wait()
        refused = soak.command(*REPRO)  # the stage may go on without DVC, and holds its lock
        if refused.returncode and "already: process" not in refused.stdout and not CURE.search(refused.stdout):
            raise Broken("an orphan is not named")
        how = "an orphan was named" if refused.returncode else how
    end_group(running.pid)
    running.wait()
    (soak.folder / ".dvc/tmp/rwlock").unlink(missing_ok=True)  # DVC's own, of which it says so itself
    finish(soak)
    soak.same(timeless=from_nothing)
    return f"{how}; the same hashes"


def end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def finish(soak: Soak) -> None:
    """Runs the pipeline, and does what the message says if it stops."""
    for _ in range(3):
        done = soak.command(*REPRO)
        if not done.returncode:
            return
        cure = CURE.search(done.stdout)
        if cure is None:
            raise Broken("the run stops, and no message says what to do")
        soak.must(*cure[1].split())
    raise Broken("what the messages say does not help")


def damage(soak: Soak) -> str:
    """Harms what is pinned; `verify` must name it, `heal` must mend it, and a crawl must not pin it."""
    pinned = ("data/raw/web/*", "data/captures/*", "data/index/*", "data/label.csv", "data/split_label.csv", "data/dataset/*/*",
              "data/pixels/*", "data/object/web/*/*/*", ".dvc/cache/files/md5/*/*")  # fmt: skip
    path = soak.chance.choice(soak.files(soak.chance.choice(pinned)))
    how = damaged(path, soak.chance)
    before = (soak.folder / "dvc.lock").read_bytes()
    if path.is_relative_to(soak.folder / "data/raw"):
        refused = soak.command("dvc", "repro", "--force", "--single-item", "crawl@web")
        if not refused.returncode:
            raise Broken(f"{path} is damaged ({how}), and crawl passes")
        if (soak.folder / "dvc.lock").read_bytes() != before:
            raise Broken("the pin has changed")
    found = soak.command("sengu", "verify")
    is_cache = ".dvc" in path.parts
    name = str(path.relative_to(soak.folder))
    # an output that is gone as a whole is named, and is no damage: a clone has none before `dvc pull`
    is_away = how == "gone" and name in soak.pinned
    if not (found.returncode == int(not is_away) and name in found.stdout) and not is_cache:
        raise Broken(f"{path} is damaged ({how}), and verify does not say so")
    soak.must("sengu", "heal")
    soak.must(*REPRO)
    soak.same()
    return "named, healed, the same hashes"


def working(soak: Soak) -> str:
    """Harms what is kept in .sengu/ to save time, which may cost nothing but time."""
    path = soak.chance.choice(soak.files(".sengu/**/*"))
    damaged(path, soak.chance)
    soak.must("dvc", "repro", "--force", "--single-item", soak.chance.choice(STAGES))
    soak.must(*REPRO)
    soak.same()
    return "the same hashes"


def full(soak: Soak) -> str:
    """A limit on the size of files gives the error of a full disk, at the same places."""
    stage = soak.chance.choice(STAGES)
    blocks = soak.chance.choice([0, 1, 2, 4, 8, 32, 128])
    program = f"ulimit -f {blocks}; {stage_command(soak, stage)}"
    done = soak.command("bash", "-c", program)
    finish(soak)
    soak.same()
    return "named; the same hashes" if done.returncode else "fitted in; the same hashes"


def stage_command(soak: Soak, stage: str) -> str:
    commands = yaml.safe_load((soak.folder / "dvc.lock").read_text())["stages"][stage]["cmd"]
    return commands if isinstance(commands, str) else " && ".join(commands)


def lock(soak: Soak) -> str:
    """Leaves a lock file as DVC leaves it if it is killed while it writes."""
    path = soak.folder / soak.chance.choice(["dvc.lock", "dvc.lock", "datasets/dvc.lock"])
    data = path.read_bytes()
    path.write_bytes(data[: soak.chance.choice([0, 0, soak.chance.randrange(len(data) - 1)])].rstrip(b"\n"))
    said = soak.command("sengu", "verify")
    cure = CURE.search(said.stdout)
    if not said.returncode or cure is None:
        raise Broken(f"{path.name} is cut off, and nothing says so")
    soak.must(*cure[1].split())
    soak.must(*REPRO)
    soak.same()
    return "named, put back, the same hashes"


HARMS: dict[str, tuple[Callable[[Soak], str], int]] = {
    "crawl again": (crawl_again, 1), "kill": (kill, 3), "damage what is pinned": (damage, 4), "damage .sengu": (working, 1),
    "full disk": (full, 2), "dvc.lock cut off": (lock, 1),
}  # fmt: skip


def answers() -> dict[str, Answer]:
    found = {}
    for kind in ("dots", "stripes"):
        names = [f"/{kind}{number}.jpg" for number in range(PICTURES // 2)]
        found |= {name: Answer("image/jpeg", pictures.jpeg(pictures.draw(kind, number))) for number, name in enumerate(names)}
        found[f"/{kind}"] = page(f'<p class="t"><a>{kind}</a></p>' + "".join(f'<img src="{name}">' for name in names))
    return found | {"/": page('<a href="/dots">1</a> <a href="/stripes">2</a>')}


def begin(folder: Path, site: Site, seed: int) -> Soak:
    """The repository after its first run, with a remote that has all of it."""
    site.answers = answers()
    copy_of_the_project(folder)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    fetch = {"source": "generic", "start": [f"{site.url}/"], "domains": ["127.0.0.1"], "delay": 0}
    params["sites"] = {"web": {"fetch": fetch, "read": {"tags": ".t a::text"}}}
    params["split"] |= {"test": [0, 60], "validation": [61, 120]}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("dvc.lock", "datasets/dvc.lock"):
        (folder / name).unlink(missing_ok=True)
    soak = Soak(folder, random.Random(seed))
    began = time.monotonic()
    soak.must(*REPRO)
    soak.longest = time.monotonic() - began
    soak.pinned = soak.hashes()
    soak.must("git", "add", "--all")
    soak.must("git", "commit", "--quiet", "--message", "begun")
    soak.must("sengu", "verify")
    soak.must("dvc", "push", "--quiet")
    return soak


def rounds(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Name and outcome of each round. Raises Broken, with the commands of the round, if one ends otherwise than it must."""
    with served("127.0.0.1") as site:
        soak = begin(folder, site, seed)
        names = list(HARMS)
        for number in range(count):
            name = soak.chance.choices(names, [HARMS[name][1] for name in names])[0]
            soak.log.clear()
            try:
                outcome = HARMS[name][0](soak)
            except Broken as error:
                raise Broken(f"round {number} of seed {seed}, {name}: {error}\n" + "\n".join(soak.log)) from error
            yield name, outcome


def table(results: list[tuple[str, str]]) -> str:
    lines = ["| harm | outcome | rounds |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| {name} | {outcome} | {count} |" for (name, outcome), count in sorted(Counter(results).items())])


def main(arguments: list[str]) -> None:
    folder, count, seed = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    results: list[Any] = []
    try:
        for result in rounds(folder, count, seed):
            results.append(result)
            print(len(results), *result, sep=" | ", flush=True)
    finally:
        print(table(results), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
