"""`semjpeg benchmark pipeline`: how busy a whole system keeps its cores, beside the bare work on local files."""
