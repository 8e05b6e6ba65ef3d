"""The Nomos provider protocol: stubs, codecs, errors, and the server side that makes a binary of a Python object."""
