"""The built-in adapters, one file each, found like a person's own: by reading, not by importing."""
