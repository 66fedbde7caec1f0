import asyncio


class Wakeup:
    """A bell: rung by whoever has news, waited for by one loop. Rings while nobody waits are not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the loop, now or when it next waits."""
        self._rung.set()

    async def wait(self, at_most: float) -> None:
        """Return at the next ring, or after `at_most` seconds."""
        try:
            async with asyncio.timeout(at_most):
                await self._rung.wait()
        except TimeoutError:
            return
        finally:
            self._rung.clear()
