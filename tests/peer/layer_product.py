"""One Hessian product of every weight tensor's own block by double backward, the graph built once, as in
the peer's sweep of the layers: the mean over the tensors. Runs through run_peer.py."""
import warnings

import torch
import torch.nn.functional as F
from bench_common import args, emit, timed
from resnet_cifar import load_model, train_batch, weight_params

warnings.filterwarnings("ignore", message=".*create_graph=True.*")
a = args(repeats=3)
model = load_model(a.model)
x, y = train_batch(a.batch)
F.cross_entropy(model(x), y).backward(create_graph=True)
blocks = [(p, p.grad + 0.0, torch.randn_like(p)) for _, p in weight_params(model)]


def products():
    for parameter, gradient, direction in blocks:
        torch.autograd.grad(gradient, parameter, grad_outputs=direction, retain_graph=True)


times, meta = timed(a, products)
emit("layer_product", a, [time / len(blocks) for time in times], meta)
