"""What was found, and what was counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SHOWN: Final = 10
KINDS: Final = ("lost", "doubled", "out of order", "wrong", "parked", "differing")
"""`parked`: notes of which the read side misses a version, or has one twice and differently. `differing`: what the read
side answers or keeps that is not what the plan or the events make of it."""


@dataclass(slots=True)
class Findings:
    """Sentences by kind. Among the counts, `repeats` are records that came again byte for byte, as they may."""

    found: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def well(self) -> bool:
        """Return whether nothing was found."""
        return not any(self.found.values())

    def add(self, kind: str, sentence: str) -> None:
        """Note one finding."""
        self.found[kind].append(sentence)

    def compare(self, what: str, found: Mapping[str, Any], wanted: Mapping[str, Any], *kinds: str) -> None:
        """Note every key that differs: as the first of `kinds` if it is not there, as the last if it is."""
        for key in found.keys() | wanted.keys():
            if (one := found.get(key)) != (other := wanted.get(key)):
                self.add(kinds[-1] if key in found else kinds[0], f"{what} {key}: {one}, not {other}")

    def show(self) -> None:
        """Print all counts, and the first findings of each kind."""
        print(f"{'counted':<13} {', '.join(f'{count:,} {name}' for name, count in self.counts.items())}")
        for kind, sentences in self.found.items():
            print(f"{kind:<13} {len(sentences)}", *sentences[:SHOWN], sep="\n    ")
