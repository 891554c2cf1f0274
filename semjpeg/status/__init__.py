"""How runs and workers are doing: read from the broker, shown on a terminal or as JSON."""
