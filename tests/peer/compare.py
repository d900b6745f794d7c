#!/usr/bin/env python3
"""Times `hawqeye bench` and the peer (PyTorch) in turn, several rounds, on the same work, and prints the
ratios of their medians with the memory that each needs. Run it on an otherwise idle machine:

    tests/peer/compare.py --python VENV/bin/python [--works forward,sweep:128] [--rounds 3]

The peer is tried in both layouts, with glibc's malloc and with tcmalloc where it is installed; the best
of them is marked. Eigenvalues of each sweep, those that were timed and those of `analyze`, are compared
with the exact ones of the folder `reference` where it has them; wrong ones end with exit code 1.

Works: forward, forward-backward, product (of one layer), train-step, qat-step, sweep:IMAGES (the peer by
double backward) and rows:IMAGES (the peer by rows of the Gauss-Newton factor, its fastest way). Where two
sweeps differ by a factor of two in images, their growth is told."""
import argparse
import glob
import itertools
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TCMALLOC = "/usr/lib/*/libtcmalloc_minimal.so.4"
USUAL = "forward,forward-backward,product,train-step,qat-step,sweep:128,sweep:512"
SCRIPTS = {
    "forward": ("bench_forward.py", []),
    "forward-backward": ("bench_fwdbwd.py", []),
    "product": (str(HERE / "layer_product.py"), []),
    "train-step": ("bench_qat_step.py", ["--plain", "1"]),
    "qat-step": ("bench_qat_step.py", []),
    "sweep": ("bench_layer_sweep.py", ["--warm", "1"]),
    "rows": ("bench_rows_sweep.py", []),
}
# Ours is the same for both.
SWEEPS = ("sweep", "rows")
# A relative residual of 1e-3 bounds the relative error of an eigenvalue.
TOLERANCE = 1e-3


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = ROOT.parent / "shared"
    parser.add_argument("--peer", type=Path, default=shared / "peer", help="folder of the peer")
    parser.add_argument("--files", type=Path, default=shared,
                        help="folder with data/, weights/ and reference/")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has torch")
    parser.add_argument("--hawqeye", type=Path, default=ROOT / "target/release/hawqeye")
    parser.add_argument("--works", default=USUAL, help=f"default: {USUAL}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="in a round, of all but sweeps")
    parser.add_argument("--sweep-repeats", type=int, default=1)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--layouts", default="nchw,channels_last")
    parser.add_argument("--mallocs", default="glibc,tcmalloc")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    asked = parser.parse_args()
    for work in asked.works.split(","):
        if work.partition(":")[0] not in SCRIPTS:
            parser.error(f"no work {work}: expected one of {', '.join(SCRIPTS)}")
    return asked


def split(asked, work):
    """Name, images and repetitions of a work such as sweep:512."""
    name, _, images = work.partition(":")
    repeats = asked.sweep_repeats if name in SWEEPS else asked.repeats
    return name, int(images or asked.batch), repeats


def inputs(asked):
    """Options that name the network and the images, as far as they are there."""
    options = ["--model", asked.model]
    weights = sorted(asked.files.glob(f"weights/{asked.model}-*.th"))
    data = asked.files / "data/cifar-10-batches-bin"
    options += ["--weights", str(weights[0])] if weights else []
    options += ["--data", f"cifar10:{data}"] if data.is_dir() else []
    return options


def run(command, environment=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False,
                          env={**os.environ, **(environment or {})})
    if done.returncode:
        sys.exit(f"failed with {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def ours(asked, work):
    name, images, repeats = split(asked, work)
    only = "sweep" if name in SWEEPS else name
    command = [asked.hawqeye, "bench", "--json", "--quiet", "--only", only, "--isa", asked.isa,
               "--threads", asked.threads, "--repeats", repeats, "--batch-size", images,
               "--samples", images, *inputs(asked)]
    told = json.loads(run(list(map(str, command))))
    measured = told["works"][0]
    return {"times": measured["all_s"], "mib": told["peak_memory_bytes"] / 2**20,
            "eigenvalues": {layer["layer"]: layer["eigenvalue"]
                            for layer in measured.get("found", [])}}


def tcmalloc():
    return next(iter(sorted(glob.glob(TCMALLOC))), None)


def variants(asked):
    """Layouts and allocators of the peer that can be tried here."""
    mallocs = [malloc for malloc in asked.mallocs.split(",") if malloc == "glibc" or tcmalloc()]
    return list(itertools.product(asked.layouts.split(","), mallocs))


def peer(asked, work, variant):
    name, images, repeats = split(asked, work)
    layout, malloc = variant
    script, extra = SCRIPTS[name]
    flags = ["--channels-last"] if layout == "channels_last" else []
    command = [asked.python, HERE / "run_peer.py", asked.peer, asked.peer / script, *flags, "--",
               "--no-lock", "--model", asked.model, "--batch", images, "--threads", asked.threads,
               "--repeats", repeats, *extra]
    environment = {"OMP_NUM_THREADS": str(asked.threads), "HAWQ_DATA": str(asked.files),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    if malloc == "tcmalloc":
        environment["LD_PRELOAD"] = tcmalloc()
    told = json.loads(run(list(map(str, command)), environment).splitlines()[-1])
    layers = told.get("layers", {})
    return {"times": told["all_s"], "mib": told["peak_rss_mib"],
            "eigenvalues": {layer.removesuffix(".weight"): found[0] if isinstance(found, list) else found
                            for layer, found in layers.items()}}


def gather(results):
    """Median, memory and eigenvalues over the rounds of one program."""
    times = [time for result in results for time in result["times"]]
    return {"median_s": statistics.median(times), "all_s": times,
            "peak_mib": max(result["mib"] for result in results),
            "eigenvalues": results[-1]["eigenvalues"]}


def measure(asked, work):
    """Both programs in turn."""
    found = {"hawqeye": [], **{"/".join(variant): [] for variant in variants(asked)}}
    for number in range(asked.rounds):
        print(f"{work}, round {number + 1} of {asked.rounds}", file=sys.stderr)
        found["hawqeye"].append(ours(asked, work))
        for variant in variants(asked):
            found["/".join(variant)].append(peer(asked, work, variant))
    return {name: gather(results) for name, results in found.items()}


def analyzed(asked, images):
    """Eigenvalues as `analyze` gives them."""
    command = [asked.hawqeye, "analyze", "--quiet", "--order", "file", "--samples", images,
               "--isa", asked.isa, "--threads", asked.threads, *inputs(asked)]
    told = json.loads(run(list(map(str, command))))
    return {layer["layer"]: layer["eigenvalue"] for layer in told["layers"]}


def errors(eigenvalues, exact):
    return {layer: abs(eigenvalues[layer] / value - 1) for layer, value in exact.items()}


def check(asked, work, measured):
    """Relative errors by program and layer, where exact eigenvalues are known."""
    name, images, _ = split(asked, work)
    path = asked.files / f"reference/{asked.model}-cifar10-{images}.json"
    if name not in SWEEPS or not path.exists():
        return {}
    exact = {layer.removesuffix(".weight"): facts["top1"]
             for layer, facts in json.loads(path.read_text())["layers"].items()}
    found = {"analyze": analyzed(asked, images),
             **{program: facts["eigenvalues"] for program, facts in measured.items()}}
    return {program: errors(eigenvalues, exact) for program, eigenvalues in found.items()}


def table(heading, rows):
    rows = [heading, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heading))]
    for row in rows:
        first, *others = [cell.rjust(width) if at else cell.ljust(width)
                          for at, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join([first, *others]).rstrip())


def rows(work, measured):
    """One row for each variant of the peer; the fastest one has a star."""
    own = measured["hawqeye"]
    others = {name: facts for name, facts in measured.items() if name != "hawqeye"}
    fastest = min(others, key=lambda name: others[name]["median_s"])
    for name, facts in others.items():
        ratio = facts["median_s"] / own["median_s"]
        memory = facts["peak_mib"] / own["peak_mib"]
        yield [work, name + (" *" if name == fastest else "  "),
               f"{1e3 * own['median_s']:.1f}", f"{1e3 * facts['median_s']:.1f}", f"{ratio:.2f}",
               f"{own['peak_mib']:.0f}", f"{facts['peak_mib']:.0f}", f"{memory:.2f}"]


def growth(asked, everything):
    sizes = {split(asked, work)[1]: measured for work, measured in everything.items()
             if work.startswith("sweep")}
    for images in sizes:
        if 2 * images not in sizes:
            continue
        for name, small in sizes[images].items():
            large = sizes[2 * images][name]
            time = large["median_s"] / small["median_s"]
            memory = large["peak_mib"] / small["peak_mib"]
            print(f"{name}: from {images} to {2 * images} images {time:.2f} times as long, "
                  f"{memory:.2f} times the memory")


def verdict(work, found):
    """Prints how wrong eigenvalues are; whether ours are right."""
    for program, by_layer in found.items():
        layer = max(by_layer, key=by_layer.get)
        print(f"{work}, {program}: eigenvalues at most {by_layer[layer]:.1e} wrong ({layer})")
    mine = [error for program in ("hawqeye", "analyze") if program in found
            for error in found[program].values()]
    return all(error <= TOLERANCE for error in mine)


def main():
    asked = arguments()
    everything = {work: measure(asked, work) for work in asked.works.split(",")}
    checks = {work: check(asked, work, measured) for work, measured in everything.items()}
    table(["work", "peer  ", "ours ms", "peer ms", "ratio", "ours MiB", "peer MiB", "ratio"],
          [row for work, measured in everything.items() for row in rows(work, measured)])
    growth(asked, everything)
    right = [verdict(work, found) for work, found in checks.items()]
    if asked.json:
        options = {name: str(value) for name, value in vars(asked).items()}
        asked.json.write_text(json.dumps(
            {"options": options, "works": everything, "eigenvalue_errors": checks}, indent=1))
    if not all(right):
        sys.exit(f"eigenvalues are wrong by more than {TOLERANCE}: no speed is worth quoting")


if __name__ == "__main__":
    main()
