"""Holds the contracts of this checkout against every released version: `make gate`, `make release-contracts`.

Commands are BACKWARD compatible: this version reads every command of every release. Events and outcomes are
FULL_TRANSITIVE: every release reads what this version writes, and the other way round, since the topic of events is
kept for ever. HTTP stays as it was for every client of a release.
"""
