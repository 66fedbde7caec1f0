import random
from dataclasses import dataclass
from typing import Final

FIRST_S: Final = 0.1
CAP_S: Final = 5.0


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next try: doubles up to a cap, with jitter, so that instances spread out."""

    attempts: int = 0

    def next(self) -> float:
        """Return the seconds to wait after one more failure."""
        ceiling = min(CAP_S, FIRST_S * 2**self.attempts)
        self.attempts = min(self.attempts + 1, 16)
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Start over after a success."""
        self.attempts = 0
