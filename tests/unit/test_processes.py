"""The tests' own processes, forked with the libraries loaded, are to those around them what a fresh Python is."""

import os
import signal
import subprocess
import sys

import pytest

from tests import processes

PYTHON = {"forked": processes.run, "fresh": subprocess.run}


@pytest.fixture(params=PYTHON)
def run(request):
    """Runs a program, in a process of either origin."""
    options = {"capture_output": True, "text": True, "timeout": 60}

    def start(program, *words, **more):
        return PYTHON[request.param]([sys.executable, "-c", program, *words], **{**options, **more})

    return start


@pytest.mark.parametrize(
    ("program", "code", "end_of_stderr"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('No.')", 1, "No.\n"),
        ("raise ValueError(4)", 1, "ValueError: 4\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "KeyboardInterrupt\n"),
        ("import atexit, sys; atexit.register(sys.stderr.write, 'bye')", 0, "bye"),
    ],
)
def test_the_end_is_told(run, program, code, end_of_stderr):
    ended = run(program)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.endswith(end_of_stderr)


def test_words_environment_and_folder_are_what_was_given(run, tmp_path):
    program = "import os, sys; print(sys.argv[1:], sorted(os.environ), os.getcwd(), sys.stdout.line_buffering)"
    ended = run(program, "ä b", cwd=tmp_path, env={"LC_CTYPE": "C.UTF-8", "X": "1"})
    assert ended.stdout.split("\n")[0] == f"['ä b'] ['LC_CTYPE', 'X'] {tmp_path} False"


def test_no_other_file_is_open(run):
    program = "import os; print([it for it in range(3, 100) if os.path.exists(f'/proc/self/fd/{it}')])"
    assert run(program).stdout == "[]\n"


def test_signals_reach_the_process_and_its_group():
    program = "import os, signal; print(os.getpgid(0) == os.getsid(0) == os.getpid(), flush=True); signal.pause()"
    command = [sys.executable, "-c", program]
    with processes.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "True\n"
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


def test_a_command_says_the_same():
    told = [
        run([sys.executable, "-m", "curavani", "nothing"], capture_output=True, text=True, timeout=60)
        for run in PYTHON.values()
    ]
    assert told[0].returncode == 2
    assert (told[0].returncode, told[0].stdout, told[0].stderr) == (told[1].returncode, told[1].stdout, told[1].stderr)
