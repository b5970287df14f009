import asyncio

import pytest

from homeostat.serve.forgets import Forgets
from homeostat.serve.recorder import Recorder


class NoThread(Forgets):
    """A record that breaks where nobody foresaw it."""

    def submit(self, model, lines, done):
        raise RuntimeError("can't start new thread")


def test_a_record_that_breaks_leaves_nobody_waiting():
    async def write():
        recorder = Recorder(NoThread())
        async with asyncio.timeout(5):
            return await asyncio.gather(*(recorder.write("m", []) for _ in range(2)), return_exceptions=True)

    for error in asyncio.run(write()):
        with pytest.raises(RuntimeError):
            raise error
