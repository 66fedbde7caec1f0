"""Live changes: what clients of `GET /notes/changes` are told, and from where they go on."""
