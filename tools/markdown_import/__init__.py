"""An example upstream: brings a folder of Markdown files in as notes, publishing commands straight to Kafka.

It knows the public language (`notes_contracts`) and none of the services' code. How a run that is killed and
repeated has one effect is told in `chain`.
"""
