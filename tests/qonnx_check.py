"""Runs a QONNX file in the Python package qonnx and compares it with the program that wrote it.

    python qonnx_check.py FILE.onnx IMAGES LOGITS TRACE --bops B --weight-bits N

IMAGES and LOGITS hold little-endian float32: normalised images one after another, and the logits
that hawqeye gave for them. The model runs on all images at once. Prints one line of JSON:

    images, different   how many images there are, and which have another prediction
    difference          largest difference of a logit
    bops, weight_bits   of qonnx's own cost report, beside what was given

For each image with another prediction, the inputs of all Quant nodes of activations go to the folder
TRACE as IMAGE.NODE.f32: whoever called can look for the first rounding that fell the other way.
"""

import argparse
import ast
import json
import pathlib

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.inference_cost import inference_cost

# Operations that the cost report does not know, and that multiply nothing.
WITHOUT_PRODUCTS = {"Slice", "GlobalAveragePool"}


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("model", "images", "logits", "trace"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--bops", type=float, required=True)
    parser.add_argument("--weight-bits", type=float, required=True)
    return parser.parse_args()


def cost(path):
    total = inference_cost(str(path), discount_sparsity=False)["total_cost"]
    unknown = set(ast.literal_eval(total.get("unsupported", "set()").replace("set()", "{}"))) - WITHOUT_PRODUCTS
    assert not unknown, unknown
    return total["total_bops"], total["total_mem_w_bits"]


def activation_quantizers(model):
    constants = {tensor.name for tensor in model.graph.initializer}
    nodes = model.get_nodes_by_op_type("Quant")
    return [node for node in nodes if node.input[0] not in constants]


def main():
    asked = arguments()
    model = ModelWrapper(str(asked.model))
    name = model.graph.input[0].name
    shape = model.get_tensor_shape(name)
    images = np.fromfile(asked.images, dtype="<f4").reshape(-1, *shape[1:])
    expected = np.fromfile(asked.logits, dtype="<f4").reshape(len(images), -1)
    quantizers = activation_quantizers(model)

    batched = model.transform(ChangeBatchSize(len(images))).transform(InferShapes())
    values = execute_onnx(batched, {name: images}, return_full_exec_context=True)
    found = values[batched.graph.output[0].name]
    different = np.flatnonzero(found.argmax(1) != expected.argmax(1))
    for image in different:
        for node in quantizers:
            trace = asked.trace / f"{image}.{node.name}.f32"
            values[node.input[0]][image].astype("<f4").tofile(trace)

    bops, weight_bits = cost(asked.model)
    print(json.dumps({
        "images": len(images),
        "different": different.tolist(),
        "difference": float(np.abs(found - expected).max()),
        "bops": [bops, asked.bops],
        "weight_bits": [weight_bits, asked.weight_bits],
    }))


if __name__ == "__main__":
    main()
