"""Runs one script of the peer (PyTorch), in another layout or without its files: patches the functions
of its module resnet_cifar that load the network and the images, and leaves its code as it is.

    python run_peer.py FOLDER SCRIPT [--channels-last] -- [ARGUMENTS OF THE SCRIPT]

Where there are no weights for a network, it is initialised at random and its batch normalisation is
given the statistics of a batch; where there are no images, they are noise."""
import runpy
import sys

end = sys.argv.index("--")
folder, script, *flags = sys.argv[1:end]
rest = sys.argv[end + 1:]
sys.path.insert(0, folder)

import torch  # noqa: E402
import resnet_cifar as peer  # noqa: E402

layout = torch.channels_last if "--channels-last" in flags else torch.contiguous_format
load_model, train_batch = peer.load_model, peer.train_batch


def noise(count, dtype=torch.float32, offset=0):
    generator = torch.Generator().manual_seed(offset)
    images = torch.randn(count, 3, 32, 32, generator=generator)
    return images.to(dtype), torch.randint(10, (count,), generator=generator)


def images(count, dtype=torch.float32, offset=0):
    try:
        x, y = train_batch(count, dtype, offset)
    except FileNotFoundError:
        x, y = noise(count, dtype, offset)
    return x.contiguous(memory_format=layout), y


def untrained(name, dtype):
    torch.manual_seed(0)
    model = peer.ResNet(peer.DEPTHS[name]).to(dtype).train()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model(images(128, dtype)[0])
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def network(name, dtype=torch.float32):
    try:
        model = load_model(name, dtype)
    except FileNotFoundError:
        model = untrained(name, dtype)
    return model.to(memory_format=layout)


peer.load_model, peer.train_batch = network, images
sys.argv = [script, *rest]
runpy.run_path(script, run_name="__main__")
