"""What `semjpeg evaluate` finds out: how well importance maps mark the things in pictures."""
