"""Ray's processes end with the thread that started them, and a search's first job may come from a short one."""

import subprocess
import sys

import pytest

SCRIPT = """
import threading, time
from operators import jobs
from operators.config import Cluster

here = Cluster(num_cpus=1)
first = threading.Thread(target=jobs.connect, args=(here,))
first.start()
first.join()
time.sleep(3)
print(jobs.run(str.format, "it works", cluster=here))
"""


@pytest.mark.e2e
def test_ray_outlives_the_thread_that_asked_for_it():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "it works", done.stderr[-2000:]
