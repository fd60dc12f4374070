"""The tools that are compared: how each backs the server up and brings it back."""
from dataclasses import dataclass

from cluster import PORT

PGBACKREST = """[global]
repo1-path={directory}/repository
{cipher}process-max=2
compress-type=zst
compress-level=1
start-fast=y
log-path={directory}
lock-path={directory}
spool-path={directory}
log-level-file=off
[bench]
pg1-path={data}
pg1-socket-path={sockets}
pg1-port={port}
pg1-user=postgres
"""

DARUMA = """state: {directory}/state
repository:
  key: {{file: {directory}/daruma.key}}
  copies:
    - {{name: here, url: "file://{directory}/repository"}}
datastores:
  bench:
    kind: postgres
    connection: {{host: {sockets}, port: {port}, user: postgres, dbname: postgres}}
"""


@dataclass(frozen=True)
class Row:
    """A line of the report."""
    key: str
    title: str
    ours: bool = False


class Tool:
    """`prepare` makes ready and is not measured; `backup` and `restore` return the command that is."""

    def __init__(self, world, server, key):
        self.world, self.server, self.key = world, server, key
        self.directory = world.scratch / key

    def prepare(self):
        self.world.fresh(self.key)
        self.server.archive_to("/bin/true")

    def stored(self):
        return self.directory

    def connection(self):
        return ["-h", self.server.sockets, "-p", PORT, "-U", "postgres"]

    def configure(self, name, template, **values):
        file = self.directory / name
        self.world.run("tee", file, stdin=template.format(
            directory=self.directory, data=self.server.data, sockets=self.server.sockets, port=PORT, **values))
        return file


class BaseBackupPlain(Tool):
    backups = [Row("basebackup-plain", "`pg_basebackup -Fp -Xs`")]
    restores = [Row("basebackup-plain", "`pg_basebackup -Fp`, copied back with `cp -a`")]

    def backup(self):
        return [self.world.programs / "pg_basebackup", *self.connection(), "-D", self.directory, "-Fp", "-Xs",
                "-c", "fast"]

    def restore(self, _, target):
        return ["bash", "-c", f"cp -a {self.directory}/. {target} && sync -f {target}"]


class BaseBackupTar(Tool):
    backups = [Row("basebackup-tar", "`pg_basebackup -Ft -Xs --compress=server-zstd:1`")]
    restores = [Row("basebackup-tar", "`pg_basebackup -Ft`, unpacked with `zstd` and `tar`")]

    def backup(self):
        return [self.world.programs / "pg_basebackup", *self.connection(), "-D", self.directory, "-Ft", "-Xs",
                "-c", "fast", "--compress=server-zstd:1"]

    def restore(self, _, target):
        return ["bash", "-o", "pipefail", "-c",
                f"zstd -dcq {self.directory}/base.tar.zst | tar -xC {target} && "
                f"tar -xf {self.directory}/pg_wal.tar -C {target}/pg_wal && sync -f {target}"]


class PgBackRest(Tool):
    backups = [Row("pgbackrest", "pgBackRest, zst level 1, 2 processes")]
    restores = [Row("pgbackrest", "pgBackRest, 2 processes, to the end of its archive")]
    cipher = ""

    def prepare(self):
        self.world.fresh(self.key)
        config = self.configure("pgbackrest.conf", PGBACKREST, cipher=self.cipher)
        self.program = ["pgbackrest", f"--config={config}", "--stanza=bench"]
        self.world.run(*self.program, "stanza-create")
        self.server.archive_to(" ".join([*self.program, "archive-push", "%p"]))

    def stored(self):
        return self.directory / "repository"

    def backup(self):
        return [*self.program, "--type=full", "backup"]

    def restore(self, _, target):
        return [*self.program, f"--pg1-path={target}", "restore"]


class PgBackRestEncrypted(PgBackRest):
    backups = [Row("pgbackrest-aes", "pgBackRest, the same, AES-256-CBC")]
    restores = [Row("pgbackrest-aes", "pgBackRest, the same, AES-256-CBC")]
    cipher = "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=a passphrase for the benchmark alone\n"


class Daruma(Tool):
    backups = [Row("daruma", "**`daruma backup --full`**", ours=True)]
    restores = [Row("daruma-immediate", "**`daruma restore --at immediate`**", ours=True),
                Row("daruma-latest", "**`daruma restore --at latest`**", ours=True)]

    def prepare(self):
        super().prepare()
        self.world.run("mkdir", self.directory / "repository")
        config = self.configure("daruma.yaml", DARUMA)
        self.program = [self.world.scratch / "bin/daruma"]
        self.options = ["-c", config]
        self.world.run(*self.program, "init", *self.options)

    def stored(self):
        return self.directory / "repository"

    def backup(self):
        return [*self.program, "backup", "--full", *self.options]

    def restore(self, row, target):
        point = row.key.removeprefix("daruma-")
        return [*self.program, "restore", "bench", "--to", target, "--at", point, *self.options]


TOOLS = {"basebackup-plain": BaseBackupPlain, "basebackup-tar": BaseBackupTar, "pgbackrest": PgBackRest,
         "pgbackrest-aes": PgBackRestEncrypted, "daruma": Daruma}
BACKUPS = [row for tool in TOOLS.values() for row in tool.backups]
RESTORES = [row for tool in TOOLS.values() for row in tool.restores]
