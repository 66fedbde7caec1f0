"""What stands on aiokafka. None of our clients ever makes a topic.

aiokafka's requests for metadata ask the broker to create what is not there, and no option of a consumer, a producer or
an administrator turns that off; a topic made that way has the broker's number of partitions, and keys go astray.
"""

from aiokafka.protocol.metadata import MetadataRequest

from notes_chassis.kafka.connections import close_what_is_left


def _never_create_topics() -> None:
    """Change the default of `allow_auto_topic_creation`; whoever imports anything of this package has it."""
    MetadataRequest.__init__.__defaults__ = (None, False)


_never_create_topics()
close_what_is_left()
