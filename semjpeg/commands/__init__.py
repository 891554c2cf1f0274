"""The commands of `semjpeg`, a module each; `semjpeg.cli` imports one when it is called."""
