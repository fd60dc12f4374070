"""The PostgreSQL that is backed up, the ones that are restored, and the user they run as."""
import os
import subprocess
import time
from pathlib import Path

import measure

PORT = 5432  # of a socket in a directory of our own: no other server can be in the way

# Half of it random bytes, half JSON with hashes in it. `{...}` are row counts.
INCOMPRESSIBLE = """
create extension pgcrypto;
create table uploads (id int primary key, content bytea);
alter table uploads alter content set storage external;
insert into uploads select n, gen_random_bytes(950) || gen_random_bytes(950) from generate_series(1, {uploads}) n;
create table events (id int primary key, event jsonb);
insert into events
  select n, jsonb_build_object(
    'number', n, 'guest', md5(n::text), 'rooms', jsonb_build_array(md5((n * 3)::text), md5((n % 997)::text)),
    'price', n * 31 % 40000, 'at', timestamptz '2026-01-01 00:00Z' + n * interval '1 s',
    'note', repeat(md5((n % 4999)::text) || ' ', 12))
  from generate_series(1, {events}) n;
vacuum analyze;
checkpoint;
"""

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{sockets}'
port = {port}
shared_buffers = 1GB
max_wal_size = 1GB
autovacuum = off
archive_mode = on
archive_command = '/bin/true'
"""


class World:
    """A scratch directory, and the unprivileged user that everything runs as."""

    def __init__(self, scratch, programs, user):
        self.scratch, self.programs = Path(scratch), Path(programs)
        self.as_user = []
        if user:
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
        self.environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.scratch)}
        self.log = self.scratch / "log"

    def command(self, *words):
        return [*self.as_user, *map(str, words)]

    def run(self, *words, stdin=None):
        """Runs to the end, unmeasured; returns what it printed."""
        done = subprocess.run(self.command(*words), input=stdin, text=True, capture_output=True,
                              env=self.environment, check=False)
        if done.returncode != 0:
            raise measure.Failed(f"{' '.join(map(str, words))}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def measured(self, *words, server=None):
        return measure.run(self.command(*words), self.log, self.environment, server.pid() if server else None)

    def fresh(self, name):
        """An empty directory."""
        directory = self.scratch / name
        self.run("rm", "-rf", directory)
        self.run("mkdir", "-m", "0700", directory)
        return directory

    def cold(self):
        """Writes back and, as root, drops what the kernel keeps of files, so that every run reads from the disk."""
        os.sync()
        if os.geteuid() == 0:
            Path("/proc/sys/vm/drop_caches").write_text("3")


class Server:
    def __init__(self, world, data, sockets):
        self.world, self.data, self.sockets = world, Path(data), Path(sockets)

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def pg_ctl(self, *words):
        self.world.run(self.world.programs / "pg_ctl", "-D", self.data, "-s", "-t", "3600", *words)

    def start(self):
        self.pg_ctl("-w", "-l", self.world.scratch / "server.log", "start")

    def start_beside(self):
        """Starts a restored one without waiting for it: with sockets of its own, and without archiving."""
        options = f"-k {self.sockets} -c archive_mode=off"
        self.pg_ctl("-W", "-l", self.world.scratch / "restored.log", "-o", options, "start")

    def stop(self, mode="fast"):
        self.pg_ctl("-w", "-m", mode, "stop")

    def sql(self, *statements):
        commands = [word for statement in statements for word in ("-c", statement)]
        return self.world.run(self.world.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.sockets,
                              "-p", PORT, "-U", "postgres", "-d", "postgres", *commands).strip()

    def wait_for(self, query, answer, seconds=3600):
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            try:
                if self.sql(query) == answer:
                    return
            except measure.Failed as not_yet:
                ended = not (self.data / "postmaster.pid").exists() and time.monotonic() > began + 10
                if ended:
                    raise measure.Failed(f"the server on {self.data} does not run; see its log") from not_yet
            time.sleep(0.02)
        raise measure.Failed(f"the server on {self.data} did not answer '{query}' with {answer} in {seconds} s")

    def archive_to(self, command):
        """Returns when the archiver uses the command."""
        quoted = command.replace("'", "''")
        self.sql(f"alter system set archive_command = '{quoted}'", "select pg_reload_conf()")
        self.wait_for("show archive_command", command)


def make_cluster(world, scale, noise_mb):
    """A running server with page checksums, pgbench's tables at `scale` and `noise_mb` that compress badly."""
    sockets = world.fresh("sockets")
    server = Server(world, world.fresh("data"), sockets)
    world.run(world.programs / "initdb", "-k", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
              "-D", server.data)
    with open(server.data / "postgresql.conf", "a") as settings:
        settings.write(SETTINGS.format(sockets=sockets, port=PORT))
    server.start()
    world.run(world.programs / "pgbench", "-i", "-q", "-s", scale, "-h", sockets, "-p", PORT, "-U", "postgres",
              "postgres")
    statements = INCOMPRESSIBLE.format(uploads=noise_mb * 267, events=noise_mb * 667)
    server.sql(*(statement for statement in statements.split(";\n") if statement.strip()))
    return server
