#!/usr/bin/env python3
"""What carries the method? Fine-tunes plans of one size that differ only in how their bits, or the
order of their stages, were chosen, and tabulates validation accuracy by row and seed.

    tests/ablation/ablate.py --hawqeye target/release/hawqeye --model resnet20 --weights FILE \\
        --data cifar10:DIR --folder WORK [--budget compression=10.66x] [--epochs 5] [--seeds 0,1]

Rows of bits (fine-tuned jointly): the plans of least predicted harm by eigenvalue, trace and loss
change; that by eigenvalue with the order of S = lambda / n turned round; the same bits for every layer;
S dealt out by chance. Rows of stages (of the trace plan): descending, ascending and random omega,
stages through the whole run, and earlier stages frozen; that plan fine-tuned jointly is a row of bits.
Rows of options (of that plan, jointly): one option of the recipe changed at a time.

Finished runs are kept in WORK and not made again, so that the script can be stopped at any time. It
writes WORK/ablation.json and WORK/ablation.svg, and prints a table. Accuracy is that of the held-out
training images after the last epoch; test accuracy is told beside it and decides nothing.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys

METRICS = ["eigenvalue", "trace", "loss-change"]
ORDERS = ["descending", "ascending", "random"]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hawqeye", default="target/release/hawqeye")
    for name in ["model", "weights", "data", "folder"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--budget", default="compression=10.66x")
    parser.add_argument("--bits", default="2,3,4,5,6,8")
    parser.add_argument("--uniform", type=int, default=3, help="bits of the uniform plan")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--only", default="", help="only rows whose name contains one of these words")
    parser.add_argument("--tune", default="--lr 0.05 --distill 0.7", help="further options of tune")
    return parser.parse_args()


# One option of the recipe changed at a time.
OPTIONS = {
    "no distillation": "--distill 0",
    "only distillation": "--distill 1",
    "temperature 1": "--temperature 1",
    "learning rate 0.01": "--lr 0.01",
    "learning rate in steps": "--decay step",
    "no weight decay": "--weight-decay 0",
    "frozen norms": "--norms frozen",
    "norms measured anew at the end": "--norms reestimated",
}

# Other rules for the first step sizes of the weights.
SCALES = {
    "step sizes from the largest weight": "max",
    "a step size for each channel": "mse-channel",
}


class Ablation:
    def __init__(self, args):
        self.args = args
        self.folder = pathlib.Path(args.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.network = ["--model", args.model, "--weights", args.weights, "--data", args.data]

    def run(self, *words):
        words = [self.args.hawqeye, *map(str, words), "--quiet"]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def sensitivity(self):
        path = self.folder / "sensitivity.json"
        if not path.exists():
            metrics = ["--metric", ",".join(METRICS), "--bits", self.args.bits]
            samples = ["--samples", self.args.samples, "--scale", "mse"]
            self.run("analyze", *self.network, *metrics, *samples, "-o", path)
        return path

    def planned(self, name, source, metric):
        """The plan of least harm within the budget."""
        path = self.folder / f"{name}.toml"
        if not path.exists():
            budget = ["--budget", self.args.budget, "--bits", self.args.bits]
            metric = ["--metric", metric, "--activation-bits", "4"]
            self.run("plan", source, *budget, *metric, "-o", path)
        return path

    def changed(self, name, change):
        """The measurements with other eigenvalues: `change` maps the list of S to another one."""
        document = json.loads(self.sensitivity().read_text())
        layers = document["layers"]
        measured = [abs(layer["eigenvalue"]) / layer["parameters"] for layer in layers]
        for layer, given in zip(layers, change(measured)):
            layer["eigenvalue"] = given * layer["parameters"]
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document))
        return path

    def uniform(self):
        path = self.folder / "uniform.toml"
        if not path.exists():
            bits = self.args.uniform
            given = ["--bits", f"2,{bits}", "--activation-bits", "4"]
            source = self.sensitivity()
            self.run("plan", source, "--budget", "compression=1x", *given, "--set", f"*={bits}/4", "-o", path)
        return path

    def rows(self, seed):
        """Name, plan and options of every row."""
        source = self.sensitivity()
        for metric in METRICS:
            yield f"bits by {metric}", self.planned(metric, source, metric), JOINT
        turned = self.changed("reversed", reverse)
        yield "bits by eigenvalue, reversed", self.planned("reversed", turned, "eigenvalue"), JOINT
        yield f"{self.args.uniform} bits everywhere", self.uniform(), JOINT
        name = f"chance-{seed}"
        chance = self.changed(name, lambda measured: shuffled(measured, seed))
        yield "bits by chance", self.planned(name, chance, "eigenvalue"), JOINT
        plan = self.planned("trace", source, "trace")
        for order in ORDERS:
            staged = ["--schedule", "staged", "--stage-order", order, "--sensitivity", source]
            yield f"stages in {order} omega", plan, staged
        staged = ["--schedule", "staged", "--sensitivity", source]
        yield "stages through the whole run", plan, [*staged, "--staging", "1"]
        yield "stages, earlier ones frozen", plan, [*staged, "--earlier-stages", "frozen"]
        yield from self.option_rows()

    def scaled(self, rule):
        """The trace plan with step sizes by another rule."""
        path = self.folder / f"trace-{rule}.toml"
        text = (self.folder / "trace.toml").read_text()
        path.write_text(text.replace('scale = "mse"', f'scale = "{rule}"'))
        return path

    def option_rows(self):
        plan = self.planned("trace", self.sensitivity(), "trace")
        for name, rule in SCALES.items():
            yield name, self.scaled(rule), JOINT
        for name, given in OPTIONS.items():
            yield name, plan, [*JOINT, *given.split()]

    def measure(self, name, plan, options, seed):
        folder = self.folder / f"{name} {seed}".replace(" ", "-").replace(",", "")
        training = ["--epochs", self.args.epochs, "--seed", seed]
        options = changed(self.args.tune.split(), options)
        begun = ["--resume"] if (folder / "events.jsonl").exists() else []
        given = [*self.network, "--plan", plan, *training, *options, *begun]
        self.run("tune", *given, "-o", folder)
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        scores = [event for event in events if event["event"] == "evaluated"]
        last = {score["split"]: score["score"] for score in scores}
        share = {split: score["correct"] / score["total"] for split, score in last.items()}
        return {"validation": share["validation"], "test": share["test"]}


JOINT = ["--schedule", "joint"]
# Points of accuracy below the best that a plot shows.
SHOWN = 15


def changed(usual, given):
    """Options with a value each; those given take the place of the usual ones."""
    pairs = [dict(zip(words[::2], words[1::2])) for words in (usual, list(map(str, given)))]
    return [word for pair in {**pairs[0], **pairs[1]}.items() for word in pair]


def reverse(measured):
    """The layer with the most gets what the layer with the least has, and so on."""
    order = sorted(range(len(measured)), key=measured.__getitem__)
    turned = [0.0] * len(measured)
    for low, high in zip(order, reversed(order)):
        turned[low] = measured[high]
    return turned


def shuffled(measured, seed):
    return random.Random(seed).sample(measured, len(measured))


def table(rows):
    lines = ["| row | validation | spread | test | spread | seeds |", "|---|---|---|---|---|---|"]
    for name, seeds in rows.items():
        cells = [name]
        for split in ["validation", "test"]:
            values = [score[split] * 100 for score in seeds.values()]
            cells += [f"{statistics.mean(values):.2f} %", f"{max(values) - min(values):.2f}"]
        lines.append(f"| {' | '.join(cells)} | {len(seeds)} |")
    return "\n".join(lines)


# Of the plot: names of rows, a panel, the space after it, the height of a row and of what is above.
NAMES, PANEL, SPACE, STEP, TOP = 240, 320, 40, 26, 30


def plot(rows, path):
    """One line a row, a panel for the held-out images and one for those of the test: a dot for each
    seed, a bar at the mean, as an SVG that needs nothing else."""
    width, height = NAMES + 2 * (PANEL + SPACE), TOP + STEP * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13" fill="#57606a">'
    ]
    for place, name in enumerate(rows):
        parts.append(f'<text x="{NAMES - 10}" y="{middle(place) + 4}" text-anchor="end">{name}</text>')
    parts += panel(rows, "validation", "held-out training images, %", NAMES)
    parts += panel(rows, "test", "test images, %", NAMES + PANEL + SPACE)
    path.write_text("\n".join([*parts, "</svg>\n"]))


def middle(place):
    return TOP + STEP * place + STEP / 2


def panel(rows, split, title, left):
    """The accuracies of one split, in per cent. What collapsed is told at the edge, so that the
    others can be told apart."""
    scores = [[score[split] * 100 for score in seeds.values()] for seeds in rows.values()]
    values = sum(scores, [])
    low, high = max(min(values), max(values) - SHOWN) - 0.3, max(values) + 0.3
    x = lambda value: left + (value - low) / (high - low) * PANEL
    parts = [f'<text x="{left}" y="18">accuracy on {title}</text>']
    for place, row in enumerate(scores):
        y = middle(place)
        parts.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y}" y2="{y}" stroke="#d0d7de"/>')
        parts += marks(row, x, y) if min(row) >= low else [collapsed(row, left, y)]
    for k in range(5):
        value = low + (high - low) * k / 4
        place = f'x="{x(value):.1f}" y="{middle(len(rows)) + 5}"'
        parts.append(f'<text {place} text-anchor="middle">{value:.1f}</text>')
    return parts


def marks(scores, x, y):
    mean = x(statistics.mean(scores))
    bar = f'<line x1="{mean:.1f}" x2="{mean:.1f}" y1="{y - 8}" y2="{y + 8}" stroke="#0969da" stroke-width="3"/>'
    dot = '<circle cx="{:.1f}" cy="{}" r="4" fill="#0969da" fill-opacity="0.5"/>'
    return [bar, *(dot.format(x(score), y) for score in scores)]


def collapsed(scores, left, y):
    told = ", ".join(f"{score:.1f}" for score in scores)
    return f'<text x="{left + 4}" y="{y + 4}">&#9664; {told}</text>'


def main():
    args = arguments()
    ablation = Ablation(args)
    rows = {}
    for seed in map(int, args.seeds.split(",")):
        for name, plan, options in ablation.rows(seed):
            if not any(word in name for word in args.only.split(",")):
                continue
            rows.setdefault(name, {})[seed] = ablation.measure(name, plan, options, seed)
            print(f"seed {seed}, {name}: {rows[name][seed]}", file=sys.stderr, flush=True)
            (ablation.folder / "ablation.json").write_text(json.dumps(rows, indent=1))
    plot(rows, ablation.folder / "ablation.svg")
    print(table(rows))


if __name__ == "__main__":
    main()
