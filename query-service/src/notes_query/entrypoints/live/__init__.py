"""Keeps the changes coming for whoever listens."""
