"""The in-memory twins of MongoDB, for tests and for trying things out. They pass the same tests."""
