"""A no-op `dvc repro` over 100,000 objects: the tree as Sengu declares it against the same tree as a plain DVC directory.

    python benchmarks/noop.py [--objects 100000] [--rounds 3]

Both repositories have the same leaves, one stage that makes them and one that reads them. In Sengu's the tree is an output
that is not cached, its leaves are in .dvcignore, and a table pins them; in the other it is an ordinary cached directory.
"""

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

MAKE = """
import hashlib, pathlib, sys
names = []
for number in range(int(sys.argv[1])):
    data = b"picture %d" % number
    name = hashlib.sha1(data).hexdigest()
    path = pathlib.Path("data/object/site", name[:2], name[2:4], name + ".jpg")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    names.append(name)
pathlib.Path("index.csv").write_text("\\n".join(sorted(names)))
"""


def repository(folder: Path, objects: int, ours: bool) -> None:
    (folder / "make.py").write_text(MAKE)
    tree = {"data/object/site": {"cache": False, "persist": True}} if ours else "data/object/site"
    stages = {
        "make": {"cmd": f"{sys.executable} make.py {objects}", "deps": ["make.py"], "outs": [tree, "index.csv"]},
        "use": {"cmd": "wc -l < index.csv > count", "deps": ["index.csv", "data/object"], "outs": ["count"]},
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    if ours:
        (folder / ".dvcignore").write_text("/data/object/*/*/\n")
    for command in ("git init --quiet", "dvc init --quiet", "dvc config cache.type hardlink,symlink", "dvc repro --quiet"):
        dvc(folder, *command.split())


def dvc(folder: Path, *command: str) -> float:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }
    before = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.stdout}{done.stderr}")
    return time.perf_counter() - before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        folders = {name: Path(top) / name for name in ("sengu", "plain")}
        for name, folder in folders.items():
            folder.mkdir()
            repository(folder, options.objects, ours=name == "sengu")
            dvc(folder, "dvc", "repro")  # DVC remembers what it has hashed
        seconds: dict[str, list[float]] = {name: [] for name in folders}
        for _ in range(options.rounds):
            for name, folder in folders.items():
                seconds[name].append(dvc(folder, "dvc", "repro"))
        assert hashlib.sha1((folders["sengu"] / "count").read_bytes()).digest() == (
            hashlib.sha1((folders["plain"] / "count").read_bytes()).digest()
        )
    ratio = statistics.median(ours / plain for ours, plain in zip(seconds["sengu"], seconds["plain"], strict=True))
    for name, times in seconds.items():
        print(f"{name}: no-op dvc repro over {options.objects} objects {statistics.median(times):.1f} s")
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
