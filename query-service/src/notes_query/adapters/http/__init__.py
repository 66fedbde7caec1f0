"""Command-service over HTTP, through one client."""
