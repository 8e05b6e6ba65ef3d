"""The report of a run: its model, how it is streamed, built, written, read and merged."""
