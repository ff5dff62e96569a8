"""The files of a case: pictures before and after, and what else was brought; their bytes and thumbnails."""
