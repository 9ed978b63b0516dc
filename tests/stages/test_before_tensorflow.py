"""Params and inputs are looked at before TensorFlow is loaded, which takes as long as many a stage."""

import json
import subprocess
import sys
from pathlib import Path

import yaml
from project import ROOT, environment

# every stage is given an empty folder: with params that are wrong, then with the project's own
PROGRAM = """
import importlib, json, sys
from pathlib import Path
from sengu.base.errors import SenguError
said = {}
for params in sys.argv[2:]:
    Path("params.yaml").write_text(params)
    for name, count in json.loads(sys.argv[1]).items():
        stage = importlib.import_module(f"sengu.stages.{name}")
        try:
            stage.main([f"nowhere/{number}" for number in range(count)])
        except (SenguError, OSError) as error:
            said[name] = said.get(name, []) + [str(error)]
        assert "tensorflow" not in sys.modules, (name, said[name])
print(json.dumps(said))
"""
WITH_PARAMS = ("backbone", "train", "label_errors", "evaluate", "export")
WITHOUT = ("features", "embed")


def arguments() -> dict[str, int]:
    """How many paths each of these stages is given in dvc.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    commands = {name: stages[name]["cmd"] for name in (*WITH_PARAMS, *WITHOUT)}
    return {name: len((cmd if isinstance(cmd, str) else cmd[-1]).split()[3:]) for name, cmd in commands.items()}


def test_a_wrong_param_and_a_missing_input_are_refused_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    whole = yaml.safe_load((ROOT / "params.yaml").read_text())
    wrong = {section: whole[section] | {"misspelt": 1} for section in WITH_PARAMS}
    stages = json.dumps(arguments())
    command = [sys.executable, "-c", PROGRAM, stages, yaml.safe_dump(whole | wrong), yaml.safe_dump(whole)]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert set(said) == {*WITH_PARAMS, *WITHOUT}
    for name in WITH_PARAMS:
        assert said[name][0].startswith(f"params.yaml: {name}.misspelt: unknown key"), said[name]
    assert all("nowhere/" in messages[-1] for messages in said.values())
