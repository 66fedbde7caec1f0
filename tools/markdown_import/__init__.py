"""An example upstream: brings Markdown files in as notes, over Kafka alone, with none of the services' code."""


class ImportStoppedError(Exception):
    """The import cannot begin or go on; the message is one sentence that says why. A later run may succeed."""
