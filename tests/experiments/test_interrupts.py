"""Ctrl-C and SIGTERM are answered, and are not lost."""

import gc
import signal
import threading

import pytest

from experiments import interrupts, main

BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_is_an_exception_with_its_number(number):
    before = [signal.getsignal(each) for each in BOTH]
    with (
        pytest.raises(KeyboardInterrupt) as stopped,
        interrupts.raising() as received,
    ):
        signal.raise_signal(number)
    assert stopped.value.args == (number,) and received == [number]
    assert [signal.getsignal(each) for each in BOTH] == before


@pytest.mark.parametrize("number", BOTH)
def test_what_a_callback_has_dropped_comes_again(number):
    """jax has a callback of the garbage collector; an exception in one goes no further
    than `sys.unraisablehook`."""
    reached = []

    def interrupted(phase, _):
        if phase == "stop" and not reached:
            reached.append(phase)
            signal.raise_signal(number)

    gc.callbacks.append(interrupted)
    try:
        with pytest.raises(KeyboardInterrupt) as stopped, interrupts.raising():
            gc.collect()
            assert reached
            threading.Event().wait(60)
    finally:
        gc.callbacks.remove(interrupted)
    assert stopped.value.args == (number,)


def test_a_loop_that_saves_is_told_and_the_user_answered(capfd):
    with interrupts.collected() as received:
        answering = threading.enumerate()[-1]
        for number in (signal.SIGTERM, signal.SIGTERM):
            signal.raise_signal(number)
        assert received == [signal.SIGTERM] * 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    answering.join(60)
    assert capfd.readouterr().err.count("saving, then stopping") == 1


@pytest.mark.parametrize("error", [None, ImportError("numpy's"), SystemExit("error")])
def test_an_interrupt_that_a_program_swallows_is_no_success(monkeypatch, capsys, error):
    def swallow(_):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        if error is not None:
            raise error

    statuses = []
    monkeypatch.setattr(main, "_answer", swallow)
    monkeypatch.setattr(main, "_exit_at_once", statuses.append)
    main.main(["--mode=evaluate"])
    assert statuses == [130]
    assert "interrupted" in capsys.readouterr().err
