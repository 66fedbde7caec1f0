"""Let readers get another build: as far as the one they have now, checked, and for all of them at once."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Final, NamedTuple

from notes_query.errors import Refused, StoreUnavailable
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import Build, Instance, Move, reached
from notes_query.rebuilding.stored_documents import StoredDocuments

LOOK_S: Final = 0.1
SETTLE_S: Final = 20.0
"""How long documents that seem to be behind may take: both builds go on meanwhile."""
INSTANCES_S: Final = 30.0
MEET_LOOK_S: Final = 0.02
FOLLOWED_LOOK_S: Final = 0.05
MET_S: Final = 0.5
MET_MAX_S: Final = 5.0
"""Less than the time for which readers of single notes get the newer of both documents after a switch."""
NAMED: Final = 5


class Switched(NamedTuple):
    """What was done: the moves, none if that is not known, and after how many seconds every instance had followed.

    `after_s` None: `problem` says what is not done, or not known.
    """

    moves: Sequence[Move]
    after_s: float | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SwitchBuild:
    """Switches. `known`, everywhere: the builds by number."""

    begin: BeginBuilds
    stored: StoredDocuments

    async def caught_up(self, number: int, known: Mapping[int, Build], moves: Sequence[Move]) -> bool:
        """Say whether a build has been at its target, and is as far as those that are served instead were before."""
        return await self._is_at(known[number], await self._before(number, known, moves))

    async def _before(self, number: int, known: Mapping[int, Build], moves: Sequence[Move]) -> dict[int, int]:
        before: dict[int, int] = {}
        for old in {move.away_from for move in moves if move.to == number}:
            # The old one first: what is asked of the new one is what the old one has had already.
            for at, offset in (await self.begin.topic.committed(known[old].group)).items():
                before[at] = max(before.get(at, 0), offset)
        return before

    async def _is_at(self, new: Build, before: Mapping[int, int]) -> bool:
        topic = self.begin.topic
        committed, beginnings = await topic.committed(new.group), await topic.beginnings()
        # A complete one has been there, and its target may be a place in a topic that has been made anew since.
        at_target = new.state == "complete" or reached(committed, beginnings, new.target)
        return at_target and reached(committed, beginnings, before)

    async def ready(self, moves: Sequence[Move], known: Mapping[int, Build], *, force: bool) -> None:
        """Return once the active builds may be moved. Raises Refused if readers would lose something."""
        await self._check(moves, known, force=force)
        await self.meet(moves, known)

    async def move(self, moves: Sequence[Move]) -> None:
        """Move the active builds. Raises Refused if nothing is moved; after StoreUnavailable nobody knows."""
        if not await self.begin.builds.move(moves, self.begin.clock()):
            raise Refused("the active builds were moved by somebody else, or a build was dropped: look and try again")

    async def meet(self, moves: Sequence[Move], known: Mapping[int, Build]) -> None:
        """Wait until all are as far as those that are served instead were less than `MET_S` seconds before.

        Comparing documents takes a while, and what was as far before it may be behind after it. On a busy machine
        looking takes longer than that, and under load a build may always be farther behind: so each try may take twice
        as long as the one before, up to `MET_MAX_S`. Raises Refused once one was dropped.
        """
        allowed, met = MET_S, False
        while not met:
            not_dropped({build.number: build for build in await self.begin.builds.all()}, moves)
            until = monotonic() + allowed
            before = {move.to: await self._before(move.to, known, moves) for move in moves}
            # Not for ever: a partition that loses its end, or is made anew, is never again as far as it was.
            while not (met := await self._are_at(before, known)) and monotonic() <= until:  # noqa: ASYNC110
                await asyncio.sleep(MEET_LOOK_S)
            if monotonic() > until:
                met, allowed = False, min(2 * allowed, MET_MAX_S)

    async def _are_at(self, before: Mapping[int, Mapping[int, int]], known: Mapping[int, Build]) -> bool:
        return all([await self._is_at(known[new], had) for new, had in before.items()])

    async def _check(self, moves: Sequence[Move], known: Mapping[int, Build], *, force: bool) -> None:
        gone = any(offset > 0 for offset in (await self.begin.topic.beginnings()).values())
        for move in moves:
            read_model = self.begin.read_models[move.read_model]
            old, new = (known[number].collection(move.read_model) for number in (move.away_from, move.to))
            if gone and not force and read_model.evolve is not None and (waiting := await self.stored.waiting(new)):
                raise Refused(
                    f"{move.read_model}: {waiting} events wait in build {move.to} for versions that are missing, and "
                    "the beginning of the topic is gone, so they may never come. Ask for snapshots of these notes "
                    "(`gaps` names them), or say --force"
                )
            if not force:
                await self._nothing_is_lost(read_model, old, new)

    async def _nothing_is_lost(self, read_model: ReadModel, old: str, new: str) -> None:
        suspects = await self.stored.behind(read_model, old, new)
        until = monotonic() + SETTLE_S
        while suspects and monotonic() < until:
            await asyncio.sleep(LOOK_S)
            suspects = await self.stored.still_behind(read_model, suspects, new)
        if suspects:
            named = ", ".join(f"{id_} at version {version}" for id_, version in islice(suspects.items(), NAMED))
            raise Refused(
                f"{len(suspects)} documents of {old} are not in {new} as new as that: {named}. --force loses them"
            )

    async def followed(self, moves: Sequence[Move], within_s: float) -> Switched:
        """Wait until every instance that answers readers has followed. Raises nothing: all is moved already."""
        builds, started, late = self.begin.builds, monotonic(), "nobody was asked yet"
        wanted = {builds.key(move.read_model): move.to for move in moves}
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while late:
                    try:
                        late = ", ".join(_late((await builds.look()).live, wanted))
                    except StoreUnavailable as error:
                        late = str(error)
                    if late:
                        await asyncio.sleep(FOLLOWED_LOOK_S)
                return Switched(moves, monotonic() - started)
        return Switched(moves, None, f"the active builds are moved, but not every instance has followed yet: {late}")


def not_dropped(known: Mapping[int, Build], moves: Sequence[Move]) -> None:
    """Raise Refused if one to be moved to was dropped: nobody feeds it, however long it is waited for."""
    for number in {move.to for move in moves}:
        if number not in known or known[number].state == "dropped":
            raise Refused(f"build {number} was dropped by somebody else")


def _late(live: Iterable[Instance], wanted: Mapping[str, int]) -> list[str]:
    """Return the instances that answer from other builds; one without readers has nothing to follow."""
    return [
        one.id
        for one in live
        if one.active_builds is not None
        and any(one.active_builds.get(key, number) != number for key, number in wanted.items())
    ]
