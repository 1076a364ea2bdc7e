"""Marvin: strategies. The API that plug-ins import, the loader, the runner and the built-in plug-ins."""
