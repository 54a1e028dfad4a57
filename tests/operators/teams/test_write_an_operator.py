"""docs/write-an-operator.md, done as it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_package_of_the_page_works(tmp_path):
    files = dict(FILE.findall((ROOT / "docs" / "write-an-operator.md").read_text("utf-8")))
    assert list(files) == ["shouting.py", "pyproject.toml", "test_shouting.py"]
    source, site, elsewhere = (tmp_path / name for name in ("source", "site", "elsewhere"))
    for name, text in files.items():
        place = (elsewhere if name.startswith("test_") else source) / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    uv = [Path(sys.executable).parent / "uv", "pip", "install", "--quiet", "--python", sys.executable, "--offline"]
    subprocess.run([*uv, "--no-deps", "--no-build-isolation", "--target", site, source], check=True, timeout=120)
    env = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}

    def run(*command):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=elsewhere, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "1 passed" in run("pytest", "-q", "-p", "no:cacheprovider", "test_shouting.py")
    shown = run("flows.cli", "operators", "shouting")
    assert "shouting  cleaning, version 1: flagged and undecided records only" in shown
    assert re.search(r"max_share +float +> 0, <= 1 +0.5 +Share of an answer's letters", shown)
