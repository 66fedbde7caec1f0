"""What /metrics shows of this process."""

from prometheus_client import REGISTRY


def shown(name: str, **labels: str) -> float:
    """Return the sample of a name and labels; 0 where a metric has none yet. Fails if there is no such metric."""
    found = REGISTRY.get_sample_value(name, labels)
    if found is None:
        assert any(name.startswith(one.name) for one in REGISTRY.collect()), f"there is no metric {name}"
    return found or 0.0
