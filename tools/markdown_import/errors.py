"""The one error a person sees."""


class ImportStoppedError(Exception):
    """The import cannot begin or go on; the message is one sentence that says why. A later run may succeed."""
