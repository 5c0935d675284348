"""However large or hostile a file is, reading it takes the memory of an ordinary one: measured in real processes."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
ALLOWED_MB = 50
# The figure is read inside the process: what the operating system tells the parent starts with the parent's own memory.
READ = """
import re, sys
from pathlib import Path
from shared.core.errors import RejectedError
from therapist_service.imports.envelope import plausibility
from therapist_service.imports.scrape import faults_of, read_scrape
from therapist_service.imports.scrape_files import ScrapeFolder, single_file
path = Path(sys.argv[1])
try:
    scrape = read_scrape(ScrapeFolder(path.parent), single_file(path), 2**30)
    faults_of(scrape)
    code = plausibility(scrape.valid, scrape.invalid, ())
except RejectedError as error:
    code = error.code
peak = re.findall(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[0]
print(int(peak) / 1024, code)
"""


def peak_and_code(path):
    """Peak memory in MB of a process that reads the scrape as the import does, and the code that keeps it out."""
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    peak, code = done.stdout.split()
    return float(peak), code


def scrape(records):
    return b'{"metadata": {"scrape_date": "2025-07-02T03:00:00"}, "therapists": [' + records + b"]}"


def written(data):
    return lambda path: path.write_bytes(data())


def sparse(size):
    def write(path):
        with path.open("wb") as file:
            file.truncate(size)

    return write


def records(make_therapist, number):
    return b",".join(json.dumps(make_therapist(one)).encode() for one in range(1, number + 1))


@pytest.fixture(scope="module")
def ordinary_peak(tmp_path_factory):
    path = tmp_path_factory.mktemp("ordinary") / "52066.json"
    path.write_bytes(scrape(b""))
    return peak_and_code(path)[0]


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (written(lambda: b"[" * 40_000 + b"]" * 40_000), "invalid_json"),
        (written(lambda: scrape(b"[" * 40_000 + b"]" * 40_000)), "invalid_json"),
        (written(lambda: scrape(b'{"a":' * 4 * MEGABYTE)), "invalid_json"),
        (written(lambda: scrape(b"[]," * 300_000 + b"[]")), "too_many_invalid"),
        (written(lambda: scrape(b'"' + b"x" * 60 * MEGABYTE + b'"')), "too_many_invalid"),
        (written(lambda: scrape(b'{"a": "' + b"x" * 60 * MEGABYTE)), "invalid_json"),
        (written(lambda: scrape(b"") + b" " * 8 * MEGABYTE + b"x"), "invalid_json"),
        (written(lambda: b'{"metadata": [' + b"1," * 30 * MEGABYTE + b'1], "therapists": []}'), "invalid_json"),
        (written(lambda: b'{"metadata": {}}' + b" " * 8 * MEGABYTE), "missing_section"),
        (sparse(2 * 1024 * MEGABYTE), "file_too_large"),
        (sparse(1024 * MEGABYTE), "invalid_json"),
    ],
)
def test_a_hostile_file_is_refused_in_flat_memory(tmp_path, ordinary_peak, write, code):
    write(tmp_path / "52066.json")
    peak, found = peak_and_code(tmp_path / "52066.json")
    assert found == code
    assert peak < ordinary_peak + ALLOWED_MB


@pytest.mark.parametrize("hundreds", [2, 160])
def test_a_file_of_many_records_takes_the_memory_of_a_small_one(tmp_path, ordinary_peak, make_therapist, hundreds):
    """One that is read whole, and one that is read in pieces."""
    hundred = records(make_therapist, 100)
    (tmp_path / "52066.json").write_bytes(scrape(b",".join([hundred] * hundreds)))
    peak, found = peak_and_code(tmp_path / "52066.json")
    assert found == "None"
    assert peak < ordinary_peak + ALLOWED_MB
