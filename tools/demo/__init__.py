"""`make demo`: from nothing to notes that can be read and edited, every step checked, and back to nothing."""
