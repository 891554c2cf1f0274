"""`python -m semjpeg` is the command `semjpeg`."""

from semjpeg.cli import main

if __name__ == "__main__":
    main()
