"""Whether this instance may answer readers: a rolling deploy waits for it while the release before it serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build, reached
from notes_query.rebuilding.topic_offsets import TopicOffsets

LOOK_S: Final = 0.5
SAY_AGAIN_S: Final = 5.0
"""How often an instance notes what it answers from: whoever comes after it has to be as far."""


@dataclass(slots=True)
class Readiness:
    """Has every read model its active build, as far as every build that readers had last?

    Another release may have served until now, and nobody has fed this one's builds meanwhile. Once this instance was as
    far, it stays so.
    """

    read_models: Mapping[str, ReadModel]
    builds: BuildStore
    topic: TopicOffsets
    served: ActiveBuilds
    _as_far: set[str] = field(default_factory=set)

    def incomplete(self) -> list[str]:
        """Return the read models that are not complete yet in this release's version."""
        missing = sorted(self.read_models.keys() - self.served.builds.keys())
        return [f"{name} version {self.read_models[name].version} is not complete yet" for name in missing]

    def missing(self) -> list[str]:
        """Return why readers should not come here yet; nothing if they may."""
        behind = sorted(self.served.builds.keys() - self._as_far)
        return self.incomplete() + [f"{name} is not as far yet as what readers had before" for name in behind]

    def pause_s(self) -> float:
        """Return the seconds until the next step."""
        return LOOK_S if self.missing() else SAY_AGAIN_S

    async def step(self) -> None:
        """See how far the read models are, and note which builds readers have. Raises as its stores do."""
        served = dict(self.served.builds)
        if waiting := served.keys() - self._as_far:
            answered = await self.builds.answered_from()
            known = {build.number: build for build in await self.builds.all()}
            for name in waiting:
                others = [known[number] for number in answered.get(name, set()) - {served[name].number}]
                if await self._is_as_far(served[name], others):
                    self._as_far.add(name)
        await self.builds.answer_from({name: build.number for name, build in served.items() if name in self._as_far})

    async def _is_as_far(self, build: Build, others: Sequence[Build]) -> bool:
        for other in others:
            # The other one first: what is asked of this one is what readers have had already.
            wanted = await self.topic.committed(other.group)
            if not reached(await self.topic.committed(build.group), await self.topic.beginnings(), wanted):
                return False
        return True
