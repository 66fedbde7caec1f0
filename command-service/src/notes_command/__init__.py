"""The write side of Notes: commands in, one outcome each; notes, events and outcomes stored in one transaction."""
