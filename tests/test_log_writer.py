"""Log lines are written by a thread, so that no caller waits for a slow reader."""

import io
import threading

from reconciler.service.log_writer import LogWriter


class Reader:
    """A stream that blocks until it is released; ``asked`` is set when something was written."""

    def __init__(self) -> None:
        self.asked, self.goes_on = threading.Event(), threading.Event()
        self.taken = ""

    def write(self, text: str) -> None:
        """Accept the text once released."""
        self.asked.set()
        assert self.goes_on.wait(10)
        self.taken += text

    def flush(self) -> None:
        """Do nothing."""


class Counted(io.StringIO):
    """A stream that counts the writes to it."""

    times = 0

    def write(self, text: str) -> int:
        """Accept the text."""
        self.times += 1
        return super().write(text)


def test_lines_are_written_in_order_and_all_of_them_at_the_end() -> None:
    """Lines are written in order, and leaving the block waits for the last one."""
    out = io.StringIO()
    with LogWriter(out, print) as lines:
        for number in range(1000):
            lines.write(f"{number}\n")
    assert out.getvalue() == "".join(f"{number}\n" for number in range(1000))


def test_nobody_waits_for_a_reader_that_reads_nothing() -> None:
    """A reader that reads nothing, such as a stopped terminal, delays no caller."""
    reader = Reader()
    with LogWriter(reader, print) as lines:
        lines.write("first\n")
        assert reader.asked.wait(10)
        lines.write("second\n")
        reader.goes_on.set()
    assert reader.taken == "first\nsecond\n"


def test_what_finds_no_room_is_lost_and_counted() -> None:
    """Lines beyond the buffer are dropped and counted; the count is written once there is room."""
    reader, lost = Reader(), list[int]()
    with LogWriter(reader, lost.append, max_lines=2) as lines:
        lines.write("first\n")
        assert reader.asked.wait(10)
        for name in ("second", "third", "fourth", "fifth"):
            lines.write(f"{name}\n")
        reader.goes_on.set()
    lines.write("sixth\n")
    assert (reader.taken, lost) == ("first\nsecond\nthird\nsixth\n", [2])


def test_lines_that_come_together_are_written_together() -> None:
    """Lines that come together are written together, since each write costs a turn."""
    out, turn = Counted(), threading.Event()
    with LogWriter(out, print, batch_delay=60) as lines:
        for number in range(3):
            lines.write(f"{number}\n")
            turn.wait(0.01)
    assert (out.times, out.getvalue()) == (1, "0\n1\n2\n")


def test_the_end_does_not_wait_for_ever() -> None:
    """A daemon that is stopped ends although its log is not read."""
    reader = Reader()
    with LogWriter(reader, print, timeout=0.05) as lines:
        lines.write("first\n")
    assert (lines.is_blocked(), reader.taken) == (True, "")
    reader.goes_on.set()


def test_after_the_end_lines_are_written_at_once() -> None:
    """A line logged after the writer's end is written at once."""
    out = io.StringIO()
    with LogWriter(out, print) as lines:
        pass
    lines.write("late\n")
    assert out.getvalue() == "late\n"


def test_a_stream_that_fails_fails_nobody() -> None:
    """A stream that fails, as on a full disk, loses the log and stops no work."""

    class Broken(Reader):
        def write(self, text: str) -> None:
            del text
            self.asked.set()
            raise OSError(28, "No space left on device")

    broken = Broken()
    with LogWriter(broken, print) as lines:
        lines.write("first\n")
        assert broken.asked.wait(10)
        lines.write("second\n")
