"""Looks at everything that semjpeg depends on, and says how to mend what is not in order."""
