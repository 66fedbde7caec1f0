"""Programs that are forked, as tests see them: output, exit codes, signals, environment."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping

import pytest

from tests.harness.programs import Nursery, Program, Running, ended, start, until_ended


def code(text: str, **more: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return what runs this once, and its environment."""
    return ("timeit", "-n1", "-r1", text), {**os.environ, **more}


def slow() -> Running:
    words, environment = code("__import__('time').sleep(60)")
    with tempfile.TemporaryFile() as log:
        return start(*words, environment=environment, stdout=log, stderr=log)


@pytest.mark.parametrize("deployed", [False, True])
def test_what_it_says_and_how_it_ends_are_told(deployed: bool) -> None:
    words, environment = code("print(__import__('os').environ['TOLD'])", TOLD="héllo")
    done = ended(*words, environment=environment, deployed=deployed)
    assert (done.code, done.out.splitlines()[0], done.err) == (0, "héllo", "")
    wrong = ended("calendar", "yesterday", environment=os.environ, deployed=deployed)
    assert (wrong.code, wrong.out) == (2, "")
    assert "usage: " in wrong.err


def test_it_has_its_environment_alone() -> None:
    words, environment = code("print(__import__('os').environ.get('TOLD'))")
    assert ended(*words, environment=environment).out.splitlines()[0] == "None"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it(number: int) -> None:
    program = slow()
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.01)
    assert program.poll() is None
    program.send_signal(number)
    assert program.wait(30) == program.poll() == -number
    program.kill()  # it is gone: nobody is hit


async def test_programs_that_run_at_once_have_their_own_environments() -> None:
    orders = [code("print(__import__('os').environ['TOLD'])", TOLD=str(number)) for number in range(8)]
    done = await asyncio.gather(*(until_ended(*words, environment=environment) for words, environment in orders))
    assert [one.out.splitlines()[0] for one in done] == [str(number) for number in range(8)]


def test_another_path_means_another_interpreter(tmp_path) -> None:
    (tmp_path / "planted.py").write_text("print('planted')")
    done = ended("planted", environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (done.code, done.out) == (0, "planted\n")
    program = slow()
    assert isinstance(program, Program)
    program.kill()
    program.wait()


def test_none_outlives_whoever_started_it_and_one_that_nobody_asks_for_stops_no_other() -> None:
    nursery = Nursery()
    words, environment = code("__import__('time').sleep(60)")
    quick, _ = code("pass")
    with tempfile.TemporaryFile() as log:
        forgotten, first, second = (
            nursery.start(one, environment, log.fileno(), log.fileno()) for one in (quick, words, words)
        )
        forgotten._files.close()
        first.kill()
        assert first.wait(30) == -signal.SIGKILL
        nursery.close()
    assert second.wait(30) == -signal.SIGKILL
