"""What was found, how it went, and what the run prints of both."""

from dataclasses import dataclass, field
from typing import Final

from tools.soak.instances import Instances
from tools.soak.plan import Plan

SHOWN: Final = 10
MOMENTS: Final = ("begin", "middle", "end")


@dataclass(slots=True)
class Findings:
    """`repeats` are records that came again, byte for byte, as they may; `refusals`, reads while an API was down.

    `differing`: documents of the read side that are not what the plan or the events make of them. `parked`: notes of
    which the read side misses a version, or has one twice and differently.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    events: int = 0
    outcomes: int = 0
    letters: int = 0
    repeats: int = 0
    reads: int = 0
    refusals: int = 0
    compared: int = 0

    @property
    def by_kind(self) -> dict[str, list[str]]:
        """Return all sentences under what the report calls them."""
        same = {kind: getattr(self, kind) for kind in ("wrong", "parked", "differing")}
        return {"lost": self.lost, "doubled": self.doubled, "out of order": self.disordered, **same}

    @property
    def well(self) -> bool:
        """Return whether nothing was found."""
        return not any(self.by_kind.values())


@dataclass(slots=True)
class Course:
    """How it went. `seconds`: the write side's; `behind_s`: those that the read side took longer.

    `memory`: MiB by instance and moment.
    """

    seconds: float = 0.0
    behind_s: float = 0.0
    memory: dict[str, dict[str, float]] = field(default_factory=dict)

    def measure(self, moment: str, instances: Instances) -> None:
        """Take the memory of each instance that is ready; the others have just begun anew."""
        for one in instances.members:
            if one.ready:
                self.memory.setdefault(one.name, {})[moment] = one.memory_mb


def show(plan: Plan, findings: Findings, course: Course, instances: Instances) -> None:
    """Print the report."""
    print(f"commands      {plan.commands:,}: {plan.duplicates:,} duplicates, {plan.poison:,} poisoned")
    print(f"time          {course.seconds:.1f} s, {plan.commands / course.seconds:,.0f} commands/s")
    kills = sum(one.lives - 1 for one in instances.members)
    print(f"kill -9       {kills} processes, after {', '.join(f'{at:.0f}' for at in instances.kills) or '-'} s")
    print(
        f"arrived       {findings.events:,} events, {findings.outcomes:,} outcomes, {findings.letters:,} dead letters"
    )
    print(f"repeats       {findings.repeats:,}, each the same as its first, or it is counted as doubled")
    if findings.compared:
        print(f"read side     had everything {course.behind_s:.1f} s later; {findings.compared:,} notes compared")
        print(f"reads         {findings.reads:,}, {findings.refusals:,} of them refused while their API was down")
    for name, found in course.memory.items():
        cells = ", ".join(f"{moment} {found[moment]:.0f}" if moment in found else f"{moment} -" for moment in MOMENTS)
        killed = next(one.lives - 1 for one in instances.members if one.name == name)
        print(f"memory, MB    {name}: {cells} (killed {killed} times)")
    for kind, sentences in findings.by_kind.items():
        print(f"{kind:<13} {len(sentences)}")
        for sentence in sentences[:SHOWN]:
            print(f"    {sentence}")
