"""The generator of a progressive GAN (Karras et al. 2018) as an ONNX file for rgi: of the model zoo, or with random weights.

    python3 pggan.py pggan.onnx --zoo celebAHQ-256     # downloads the weights of facebookresearch/pytorch_GAN_zoo
    python3 pggan.py random.onnx --size 64             # to try what follows

Needs torch and onnx.
"""
import argparse
import math

import torch
import torch.nn.functional as F
from torch import nn


class Scaled(nn.Module):
    """A convolution whose weights are N(0, 1), scaled at run time (equalised learning rate)."""

    def __init__(self, n_in, n_out, kernel, padding):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, padding=padding)
        nn.init.normal_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)
        self.scale = math.sqrt(2 / (n_in * kernel * kernel))

    def forward(self, x):
        return self.conv(x * self.scale)


def activated(x):
    x = F.leaky_relu(x, 0.2)
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class PGGAN(nn.Module):
    def __init__(self, size, base, most, z=512):
        super().__init__()
        channels = [min(base // side, most) for side in (2**k for k in range(2, int(math.log2(size)) + 1))]
        self.first = Scaled(z, channels[0], 4, 3)
        self.second = Scaled(channels[0], channels[0], 3, 1)
        pairs = list(zip(channels, channels[1:]))
        self.blocks = nn.ModuleList(nn.ModuleList([Scaled(a, b, 3, 1), Scaled(b, b, 3, 1)]) for a, b in pairs)
        self.rgb = Scaled(channels[-1], 3, 1, 0)

    def forward(self, z):
        z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        x = activated(self.first(z[:, :, None, None]))
        x = activated(self.second(x))
        for first, second in self.blocks:
            x = F.interpolate(x, scale_factor=2.0, mode='nearest')
            x = activated(second(activated(first(x))))
        return self.rgb(x) * 0.3


def of_zoo(name):
    zoo = torch.hub.load('facebookresearch/pytorch_GAN_zoo:hub', 'PGAN', model_name=name, pretrained=True, useGPU=False)
    g = zoo.netG.eval()
    return g, zoo.config.noiseVectorDim


if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('file')
    p.add_argument('--zoo', help='celebAHQ-256, celebAHQ-512, DTD or celeba')
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--base', type=int, default=8192, help='channels of a layer times its side')
    p.add_argument('--most', type=int, default=512, help='most channels of a layer')
    a = p.parse_args()
    torch.manual_seed(0)
    g, z_dim = of_zoo(a.zoo) if a.zoo else (PGGAN(a.size, a.base, a.most).eval(), 512)
    with torch.no_grad():
        torch.onnx.export(g, torch.randn(2, z_dim), a.file, input_names=['z'], output_names=['image'], opset_version=14,
                          dynamic_axes={'z': {0: 'n'}, 'image': {0: 'n'}})
