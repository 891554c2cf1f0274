"""What `semjpeg evaluate DATA` finds out: encoders beside each other at equal bytes, in the paper's measures."""
