"""The MSROI network: which parts of a picture carry meaning."""
