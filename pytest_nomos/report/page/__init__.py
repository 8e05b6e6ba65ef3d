"""The page: index.html of a report folder, one file that asks no network for anything."""
