"""When a process that ends again and again is given up, and when it has another chance: a circuit breaker.

It is closed at first: a process that ends is started again, after a moment from the second time on. After `FENCED_AFTER` ends in a row it is open:
nobody is let through, and after a pause it is half open: the process is started and asked one request. If it answers, all is well; if it ends,
the next pause is twice as long.

Source: M. Nygard (2007), Release It!, stability patterns: circuit breaker.
"""

FENCED_AFTER = 3  # ends in a row, each over another question
STEADY_S = 60.0  # a process that lived so long has ended for the first time
PAUSE_S = 10.0  # longer than it takes to put another version in its place, where there is one
MOST_PAUSE_S = 300.0
_BACK_OFF_S = (0.0, 0.5, 2.0)
_MOST_DOUBLED = 10


class Fence:
    """`reason`: why the process was given up, None while it is not. `pause_s`: the first one."""

    def __init__(self, *, reason: str | None = None, pause_s: float = PAUSE_S) -> None:
        self.reason = reason
        self.deaths = 0
        self._pause_s = pause_s
        self._times = 0

    def died(self, why: str, *, counts: bool, lived_s: float) -> float:
        """Note an end, and return the seconds until the process is started again. `counts`: not over a question that was noted before."""
        self.deaths = 1 if lived_s > STEADY_S else max(1, self.deaths + counts)
        if self.reason is not None:
            return self.give_up(f"{why} when it was tried again")
        if self.deaths >= FENCED_AFTER:
            return self.give_up(f"{why}, {self.deaths} times in a row")
        return _BACK_OFF_S[self.deaths - 1]

    def give_up(self, reason: str) -> float:
        """Let nobody through, and return the seconds until it is tried again."""
        self.reason = reason
        pause_s = min(self._pause_s * (1 << min(self._times, _MOST_DOUBLED)), MOST_PAUSE_S)
        self._times += 1
        return pause_s

    def answered(self, *, lived_s: float) -> bool:
        """Note an answer, and return whether the process had been given up until now."""
        had_been = self.reason is not None
        if had_been:
            self.reason, self.deaths = None, 0
        if lived_s > STEADY_S:
            self.deaths = self._times = 0
        return had_been
