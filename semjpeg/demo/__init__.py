"""The whole system on one machine: real servers and processes, on free ports, gone when the demo ends."""
