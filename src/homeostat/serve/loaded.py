"""A version in memory, ready to be asked."""

import asyncio
from dataclasses import dataclass, field

from homeostat.core.columns import Signature
from homeostat.serve.batcher import Batcher
from homeostat.serve.decoder import Decoder
from homeostat.serve.evaluator import Evaluator, Quick


@dataclass(slots=True, eq=False)
class Loaded:
    """`asking`: requests under way that may still turn to it; it is closed when there are none."""

    version: int
    evaluator: Evaluator | Quick
    batcher: Batcher
    decoder: Decoder
    asking: int = field(default=0, init=False)

    @property
    def signature(self) -> Signature:
        return self.decoder.signature

    @property
    def quick(self) -> Quick | None:
        return self.evaluator if isinstance(self.evaluator, Quick) else None

    @property
    def is_given_up(self) -> bool:
        """Whether its process was given up, and did not answer since."""
        return not isinstance(self.evaluator, Quick) and self.evaluator.is_given_up

    async def close(self) -> None:
        """Wait for whoever may still ask, and let it go."""
        while self.asking:  # noqa: ASYNC110 - a moment, at the end of a version's life
            await asyncio.sleep(0.005)
        await self.batcher.close()
