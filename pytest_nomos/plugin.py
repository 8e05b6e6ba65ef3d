"""The plugin; an empty module until it is written."""
