import os
import sys

from models.backend import _without_chatter

CHATTER = "I0000 00:00:1795350183.462892    9301 port.cc:153] oneDNN custom operations are on.\n"


def test_chatter_is_held_back_and_everything_else_is_written(capfd):
    with _without_chatter():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
        os.write(2, CHATTER.encode())
        sys.stderr.write("something of ours\n")
    assert capfd.readouterr().err == "something of ours\n"


def test_standard_error_is_given_back_after_a_failure(capfd):
    try:
        with _without_chatter():
            os.write(2, b"a reason\n")
            raise ImportError
    except ImportError:
        os.write(2, b"and on\n")
    assert capfd.readouterr().err == "a reason\nand on\n"
