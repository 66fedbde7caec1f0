"""What stands on aiokafka, which is changed as soon as anything of this package is imported."""

from notes_chassis.kafka import aiokafka_connections, aiokafka_patches

aiokafka_connections.patch()
aiokafka_patches.patch()
