"""Measures what design promises, on real servers, as ratios inside one run. Never ships."""
