"""Makes docs/benchmarks.md of a results file. It leaves nothing out: medians are over every run there is.

    python3 bench/report.py RESULTS     prints the page
"""
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import tools

SCALE_THAT_COUNTS = 250
ROUNDS_THAT_COUNT = 5
MEMORY_MAX_MIB = 256


@dataclass
class Results:
    setting: dict
    runs: list = field(default_factory=list)

    def of(self, group, row):
        """The runs of a row, by round."""
        return {run["round"]: run for run in self.runs if run["group"] == group and run["row"] == row.key}


def load(file):
    lines = [json.loads(line) for line in Path(file).read_text().splitlines()]
    return Results(lines[0], [line for line in lines[1:] if line["kind"] == "run"])


def cpu_of(run):
    return run["tool_cpu_s"] + run["server_cpu_s"]


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def middle(runs, of):
    return number(median(of(run) for run in runs.values()))


def spread(values):
    return f"{number(min(values))}–{number(max(values))}"


def table(head, rows):
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def costs(results, group, rows):
    head = ["", "seconds", "min–max", "CPU s, tool", "CPU s, server", "peak MiB"]
    head += ["stored MiB", "disturbed"] if group == "backup" else ["files s", "writable s", "disturbed"]
    lines = []
    for row in rows:
        runs = results.of(group, row)
        line = [row.title, middle(runs, lambda run: run["wall_s"]), spread([run["wall_s"] for run in runs.values()])]
        line += [middle(runs, lambda run, key=key: run[key]) for key in ("tool_cpu_s", "server_cpu_s", "peak_mib")]
        extra = ["stored_mib"] if group == "backup" else ["files_s", "writable_s"]
        line += [middle(runs, lambda run, key=key: run[key]) for key in extra]
        lines.append([*line, f"{sum(run['disturbed'] for run in runs.values())} of {len(runs)}"])
    return table(head, lines)


def ratios(ours, theirs, of):
    return [of(ours[number]) / of(theirs[number]) for number in ours if number in theirs and of(theirs[number])]


def verdict(values):
    """What the ratios of the rounds say, in words; no difference unless every round says the same."""
    ratio = median(values)
    if max(values) < 1:
        return f"Daruma is **faster**: it takes {number(ratio)} of the time"
    if min(values) > 1:
        return f"Daruma is **slower**: it takes {number(ratio)} times as long"
    return f"no clear difference ({number(ratio)} of the time)"


def beside(results, group, rows):
    lines = []
    for our in [row for row in rows if row.ours]:
        for peer in [row for row in rows if not row.ours]:
            ours, theirs = results.of(group, our), results.of(group, peer)
            time = ratios(ours, theirs, lambda run: run["wall_s"])
            line = [f"{our.title} / {peer.title}", number(median(time)), spread(time)]
            measures = [cpu_of, lambda run: run["peak_mib"]]
            measures += [lambda run: run["stored_mib"]] if group == "backup" else []
            line += [number(median(ratios(ours, theirs, of))) for of in measures]
            lines.append([*line, verdict(time)])
    head = ["ratio per round, median", "time", "min–max", "CPU", "memory"]
    return table([*head, *(["stored"] if group == "backup" else []), "in words"], lines)


def caution(results):
    setting = results.setting
    said = []
    if setting["scale"] < SCALE_THAT_COUNTS or setting["rounds"] < ROUNDS_THAT_COUNT:
        said.append(f"**This is a small run** (`--scale {setting['scale']} --rounds {setting['rounds']}`), to see that "
                    f"everything works. The one that counts has `--scale {SCALE_THAT_COUNTS}` and at least "
                    f"{ROUNDS_THAT_COUNT} rounds; here, what a tool does once weighs more than it should.")
    if not setting["cold"]:
        said.append("**The page cache was warm**: it was not root who ran this, and only root can drop it.")
    disturbed = sum(run["disturbed"] for run in results.runs)
    if disturbed:
        said.append(f"**{disturbed} of {len(results.runs)} runs were disturbed**: others used more than a tenth of "
                    "the cores' time meanwhile. They count like the rest; trust the ratios less than their digits.")
    return "\n\n".join(said)


def memory(results):
    peak = max(run["peak_mib"] for run in results.runs if run["row"].startswith("daruma"))
    held = "It held in every run" if peak <= MEMORY_MAX_MIB else "**It did not hold**"
    return f"Daruma's limit is {MEMORY_MAX_MIB} MiB. {held}: the largest peak was {number(peak)} MiB."


PAGE = """# Benchmarks

Made by `script/bench` on {date}, whatever it says; run it again instead of editing this page.

{caution}

| | |
| --- | --- |
| machine | {machine} |
| disk | {disk} |
| data | pgbench at scale {scale} and {noise_mb} MB that compress badly (random bytes, JSON); page checksums on |
| | {cluster_mib} MiB with the server's own WAL |
| programs | {versions} |
| rounds | {rounds}; all tools in each, another one first every time |

## Full backup

Of a running, idle server on the same machine, to the same disk; everything durable at the end. All three check the
pages' checksums. Daruma always encrypts; of the others only the row with AES does.

{backup_costs}

{backup_beside}

## Empty directory to first SELECT

From the command that restores to the first answer of the started server; `files s` is the first part of it, and
`writable s` the time until the server had left recovery.

{restore_costs}

{restore_beside}

## Memory

{memory}

## How it is measured

Each round runs every tool once; a ratio is taken between two runs of the same round, and the tables have the median of
the rounds' ratios. {cache}
It then waits, at most {wait_s} s, for a second in which 85 % of the cores are idle. CPU is user and system time: of the
tool's processes, and of the server's during the run. Memory is the largest sum, over samples ten times a second, of the
proportional set sizes of the tool's processes, and never less than the kernel's own peak of the largest one; the
server's is not in it. A run counts as disturbed when others used more than a tenth of the cores' time.

Each tool makes the WAL safe in its own way: `pg_basebackup` streams it (`-Xs`), pgBackRest gets it from the server's
`archive_command`, Daruma streams it through a temporary slot. pgBackRest reads the data directory; the other two get it
from the server. After each restore every row of the largest table is counted. The single runs are in
`build/bench/results.jsonl`.
"""


def markdown(file):
    results = load(file)
    return PAGE.format(
        **results.setting, caution=caution(results), memory=memory(results),
        cache="Before a run the page cache is written back and dropped." if results.setting["cold"] else
              "Before a run dirty pages are written back.",
        backup_costs=costs(results, "backup", tools.BACKUPS), backup_beside=beside(results, "backup", tools.BACKUPS),
        restore_costs=costs(results, "restore", tools.RESTORES),
        restore_beside=beside(results, "restore", tools.RESTORES)).replace("\n\n\n", "\n\n")


if __name__ == "__main__":
    print(markdown(sys.argv[1]), end="")
