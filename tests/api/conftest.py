from tests.e2e.pair import environment, make_service, pair

__all__ = ["environment", "make_service", "pair"]
