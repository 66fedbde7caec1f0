"""What a token that was verified before costs: `GET /notes/{id}` of a closed service, against an open one."""

import asyncio
import json
import random
from statistics import median

from tools.bench.pair import cpu_seconds, running
from tools.bench.reads import MANY, requests_per_second
from tools.bench.results import Entry, judged, spread
from tools.bench.workload import Author
from tools.issuer.issuer import AUDIENCE, Issuer
from tools.sandbox import Program

NOTES = 2_000
READER = ("notes_query", "serve", "--only", "api")
ISSUER = "http://127.0.0.1:1"  # nobody is there: the keys come out of a file


async def reads_with_token(addresses: dict[str, str], turns: int, seconds: float) -> Entry:
    """Return requests per second, mean latency and CPU time of a request, open and closed in turns.

    The ratio is that of the CPU times, open to closed: it does not depend on what else the machine does. Raises
    RunError.
    """
    stored, issuer = Author(seed=5).write(NOTES), Issuer(ISSUER)
    token = issuer.token("bench", "bench", "notes.read", 3_600)["access_token"]
    headers = {"open": "", "closed": f"Authorization: Bearer {token}\r\n"}
    rates: dict[str, list[float]] = {name: [] for name in headers}
    costs: dict[str, list[float]] = {name: [] for name in headers}
    async with running(addresses) as pair:
        await pair.store(stored)
        ids = list(stored.expected)
        random.Random(1).shuffle(ids)  # noqa: S311 - data for a measurement
        keys = pair.made.logs / "keys.json"
        keys.write_text(json.dumps({"keys": [key.jwk for key in issuer.keys]}))
        oidc = {"AUTH": "oidc", "OIDC_ISSUER": ISSUER, "OIDC_AUDIENCE": AUDIENCE, "OIDC_JWKS": str(keys)}
        settings = {"open": {}, "closed": {f"NOTES_{name}": value for name, value in oidc.items()}}
        programs = {name: Program(pair.made, name, READER, own) for name, own in settings.items()}
        try:
            await asyncio.gather(*(program.start() for program in programs.values()))
            for turn in range(turns + 1):
                for name, program in programs.items():
                    before = cpu_seconds(program.running.pid)
                    rate = await requests_per_second(program.url, ids, seconds, headers[name])
                    if turn:  # the first one warms up
                        rates[name].append(rate)
                        costs[name].append((cpu_seconds(program.running.pid) - before) / (rate * seconds) * 1e6)
        finally:
            await asyncio.gather(*(program.stop() for program in programs.values()))
    figures = {
        name: {"requests_per_s": spread(of), "mean_ms": 1e3 * MANY / median(of), "cpu_us": spread(costs[name])}
        for name, of in rates.items()
    }
    ratio = median(costs["open"]) / median(costs["closed"])
    return judged(figures, {"without a token": ratio}, {"without a token": 0.97})
