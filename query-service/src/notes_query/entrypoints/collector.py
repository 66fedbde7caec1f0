"""The garbage collector of a process that makes a great many short-lived objects and hardly any cycles."""

import gc
from typing import Final

YOUNG: Final = 50_000
"""Objects more than before until the youngest are looked through: a few batches' worth."""


def relax_collector() -> None:
    """Leave alone what the start has made, and look through the rest rarely. Call it when everything is built.

    By default the young are looked through after every 700 objects. A batch makes tens of thousands, and all are alive
    until it is stored: in vain that was a fifth of the projector's CPU time. Reference counts free them as before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
