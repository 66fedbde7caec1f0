"""What stands on aiokafka, which is changed as soon as anything of this package is imported."""

from notes_chassis.kafka.aiokafka_patches import patch

patch()
