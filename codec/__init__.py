"""The semantic JPEG encoder and its quality metrics: arrays in, bytes or numbers out."""
