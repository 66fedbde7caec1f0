"""MongoDB through Motor. Nothing outside this package imports motor or pymongo."""
