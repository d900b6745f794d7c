"""Loads an exported safetensors file into the network that torch.export.save wrote, with strict=True.

    python strict_check.py MODEL.pt2 FILE.safetensors

Prints how many tensors were taken. Fails when a name or a shape is missing, other, or too many, and
when the network then answers with numbers that are not finite.
"""

import json
import struct
import sys

import torch

TYPES = {"F32": torch.float32, "I64": torch.int64}


def tensors(path):
    content = open(path, "rb").read()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = torch.frombuffer(bytearray(content[start:end]), dtype=TYPES[entry["dtype"]])
        yield name, values.reshape(entry["shape"])


model, file = sys.argv[1:]
program = torch.export.load(model)
network = program.module()
state = dict(tensors(file))
network.load_state_dict(state, strict=True)
inputs, _ = program.example_inputs
assert torch.isfinite(network(*inputs)).all(), "the outputs are not finite"
print(len(state))
