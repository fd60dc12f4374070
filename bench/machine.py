"""What the measurements were made on: the machine, the data, the programs, as a reader wants to see it."""
import datetime
import os
import platform
import re
import statistics
import time
from pathlib import Path

import measure


def field_of(file, name):
    found = re.search(rf"^{name}\s*:\s*(.*)$", Path(file).read_text(), re.MULTILINE)
    return found.group(1).strip() if found else ""


def processor():
    return f"{os.cpu_count()} cores, {field_of('/proc/cpuinfo', 'model name') or platform.machine()}"


def memory():
    return f"{int(field_of('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB"


def disk(world):
    """The kind of file system and of device below the scratch directory."""
    device, kind = world.run("findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", world.scratch).split()[:2]
    device = Path(device).name
    rotational = Path(f"/sys/class/block/{device}/queue/rotational")
    if device.startswith(("vd", "xvd")):
        medium = "virtual disk"  # whether it says it rotates means nothing
    elif rotational.exists():
        medium = "spinning disk" if rotational.read_text().strip() == "1" else "solid-state disk"
    else:
        medium = "device of another kind"
    return f"{kind} on a {medium}"


def flush_milliseconds(world):
    """The median time of making 8 KiB durable: what the sync of a small file costs at least."""
    seconds = []
    with open(world.fresh("flush") / "file", "wb", buffering=0) as out:
        for _ in range(21):
            out.write(bytes(8192))
            began = time.monotonic()
            os.fdatasync(out.fileno())
            seconds.append(time.monotonic() - began)
    return statistics.median(seconds) * 1000


def describe(options, server):
    world = server.world
    postgres = world.run(world.programs / "pg_config", "--version").split()[1]
    return {
        "date": datetime.date.today().isoformat(),
        "scale": options.scale, "noise_mb": options.noise, "rounds": options.rounds, "wait_s": options.wait,
        "cluster_mib": round(measure.stored_mib(server.data)),
        "cores": os.cpu_count(),
        "machine": f"{processor()}, {memory()} of memory, Linux {platform.release()}",
        "disk": f"{disk(world)}; making 8 KiB durable takes {flush_milliseconds(world):.1f} ms",
        "versions": f"daruma {options.version}, PostgreSQL {postgres}, {world.run('pgbackrest', 'version').strip()}",
        "cold": os.geteuid() == 0,
    }
