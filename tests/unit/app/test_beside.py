"""What is written beside the loop is never waited for."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

import pytest

from app import beside
from app.beside import written_beside


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, TextIO]]:
    """A pipe that nobody reads yet: it takes a few hundred lines."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as writer:
        yield reader, writer


def line(number: int) -> str:
    return f"{number} {'x' * 200}\n"


def test_who_writes_goes_on_while_nobody_reads_and_nothing_is_lost(pipe: tuple[TextIO, TextIO]) -> None:
    reader, writer = pipe
    with ThreadPoolExecutor(1) as late, written_beside(writer) as write:
        for number in range(5_000):
            write(line(number))
        read = late.submit(lambda: [reader.readline() for _ in range(5_000)])
    assert read.result() == [line(number) for number in range(5_000)]


def test_of_too_many_the_rest_is_left_out_and_counted(pipe: tuple[TextIO, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MOST", 500)
    reader, writer = pipe
    with ThreadPoolExecutor(1) as late, written_beside(writer) as write:
        for number in range(5_000):
            write(line(number))
        first = late.submit(lambda: [reader.readline() for _ in range(500)]).result()
        write("the last\n")
        rest = late.submit(lambda: list(iter(reader.readline, "the last\n")))
    assert first == [line(number) for number in range(500)]
    *kept, said = rest.result()
    assert kept == [line(number) for number in range(500, 500 + len(kept))]
    assert said == f"{4_500 - len(kept)} lines were left out: nobody took them.\n"


def test_a_reader_that_went_away_is_no_error(pipe: tuple[TextIO, TextIO]) -> None:
    reader, writer = pipe
    reader.close()
    with written_beside(writer) as write:
        write("nobody sees it\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), writer.fileno())  # what its buffer holds goes there when it is closed
