"""A Ceph cluster in memory, for any user, on loopback: `python tests/integration/ceph/cluster.py FOLDER`.

One monitor, one object store daemon and one RADOS gateway keep all they need in FOLDER, which also gets `gateway.json`
as soon as the gateway answers: its endpoint and the keys of its users. The cluster runs until the program is ended.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

from config.errors import ConfigurationError, SemjpegError
from semjpeg.demo.processes import Processes
from semjpeg.files import write_file

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
PACKAGES = "radosgw ceph-mon ceph-osd"
START_S = 90.0
LOOK_S = 0.1
MEMORY_BYTES = 4 << 30
"""What the store may hold; memory is taken as objects are written."""

CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = {monitor}
# nobody else reaches the daemons on loopback, so they do without keys; the gateway's users have theirs
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
keyring = /dev/null
public_addr = 127.0.0.1
# everything stays in one folder, and all that is told goes to the processes' logs
run_dir = {folder}
crash_dir = {folder}
admin_socket =
pid_file =
log_file =
log_to_stderr = true
err_to_stderr = true
mon_cluster_log_file =
# one copy of each object, on one daemon, and nobody who would balance anything
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
osd_objectstore = memstore
memstore_device_bytes = {memory}
[mon.a]
mon_data = {folder}/monitor
[osd.0]
osd_data = {folder}/objects
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{port}
# a topic whose URL holds a password is taken over TLS alone, or behind a proxy that says so
rgw_trust_forwarded_https = true
"""


@dataclass
class Cluster:
    """The daemons, in the order in which they need each other."""

    folder: Path
    processes: Processes

    def __post_init__(self) -> None:
        self.programs = {name: shutil.which(name) for name in PROGRAMS}
        if missing := [name for name, path in self.programs.items() if path is None]:
            raise ConfigurationError(
                f"no {', '.join(missing)} on the PATH: apt-get install --no-install-recommends {PACKAGES}"
            )
        self.fsid = str(uuid4())
        self.monitor = f"[v2:127.0.0.1:{free_port()}/0]"
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.configuration = self.folder / "ceph.conf"
        text = CONFIGURATION.format(
            fsid=self.fsid, monitor=self.monitor, folder=self.folder, memory=MEMORY_BYTES, port=self.port
        )
        self.configuration.write_text(text)

    def run(self, name: str, *arguments: str) -> str:
        """Run a program to its end; return what it says."""
        command = [self.programs[name], *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
        if ended.returncode:
            raise SemjpegError(f"{name} {arguments[0]} ended with {ended.returncode}: {ended.stderr[-2000:]}")
        return ended.stdout

    def start_daemon(self, name: str, *arguments: str) -> None:
        """Start a daemon that stays in the foreground."""
        self.processes.start(name, self.programs[name], "-f", *arguments, "-c", str(self.configuration))

    def start(self) -> None:
        """Return when the gateway answers."""
        known = ("-c", str(self.configuration))
        for folder in ("monitor", "objects"):
            (self.folder / folder).mkdir()
        members = str(self.folder / "monitors")
        self.run("monmaptool", "--create", "--addv", "a", self.monitor, "--fsid", self.fsid, members)
        self.run("ceph-mon", "--mkfs", "-i", "a", *known, "--monmap", members)
        self.start_daemon("ceph-mon", "-i", "a")
        store = str(uuid4())
        self.run("ceph", *known, "--connect-timeout", f"{START_S:g}", "osd", "new", store)
        self.run("ceph-osd", "--mkfs", "-i", "0", *known, "--osd-uuid", store)
        self.start_daemon("ceph-osd", "-i", "0")
        self.start_daemon("radosgw", "-n", "client.rgw")
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while True:
            self.processes.check()
            try:
                with urlopen(self.endpoint, timeout=START_S):  # noqa: S310 - our own server
                    return
            except (URLError, ConnectionError):
                if time.monotonic() > until:
                    raise SemjpegError(f"the gateway did not start within {START_S:g} s") from None
            time.sleep(LOOK_S)

    def create_user(self, name: str) -> dict[str, str]:
        """Return the key pair of a new user."""
        key = {"access_key": f"{name}-{secrets.token_hex(8)}", "secret_key": secrets.token_urlsafe(24)}
        options = (f"--uid={name}", f"--display-name={name}", *(f"--{k.replace('_', '-')}={v}" for k, v in key.items()))
        self.run("radosgw-admin", "user", "create", *options, "-n", "client.rgw", "-c", str(self.configuration))
        return key


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main() -> None:
    """Serve until killed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Processes(folder, {"PATH": "/usr/bin:/bin"}) as processes:
            cluster = Cluster(folder, processes)
            cluster.start()
            users = {name: cluster.create_user(name) for name in ("owner", "stranger")}
            ready = {"endpoint": cluster.endpoint, **users}
            write_file(folder / "gateway.json", json.dumps(ready).encode())
            while True:
                processes.check()
                time.sleep(LOOK_S)
    except SemjpegError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
