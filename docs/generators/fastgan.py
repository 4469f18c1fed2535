"""FastGAN's generator (Liu et al. 2021) as an ONNX file for rgi: of a checkpoint, or with random weights.

    python3 fastgan.py fastgan.onnx --checkpoint models/50000.pth --size 256     # in a clone of odegeasslbc/FastGAN-pytorch
    python3 fastgan.py random.onnx --size 64                                     # to try what follows

Needs torch and onnx. The noise that the generator adds in training is left out: a search needs one function.
"""
import argparse
import math

import torch
import torch.nn.functional as F
from torch import nn


class Up(nn.Module):
    """Upsampling, convolution, batch normalisation and a gate."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(n_in, 2 * n_out, 3, padding=1, bias=False), nn.BatchNorm2d(2 * n_out)

    def forward(self, x):
        x = F.interpolate(x, scale_factor=2.0, mode='nearest')
        return F.glu(self.norm(self.conv(x)), 1)


class Excitation(nn.Module):
    """Scales the channels of a fine map by what a coarse one holds."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.main = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Conv2d(n_in, n_out, 4), nn.SiLU(), nn.Conv2d(n_out, n_out, 1), nn.Sigmoid())

    def forward(self, coarse, fine):
        return fine * self.main(coarse)


class FastGAN(nn.Module):
    def __init__(self, size, width, z=256):
        super().__init__()
        steps = int(math.log2(size // 4))
        channels = [width * min(16, 2 ** (steps - k)) for k in range(steps + 1)]
        self.first = nn.ConvTranspose2d(z, 2 * channels[0], 4, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels[0])
        self.ups = nn.ModuleList(Up(a, b) for a, b in zip(channels, channels[1:]))
        self.excitations = nn.ModuleList(Excitation(channels[k], channels[k + 3]) for k in range(steps - 2))
        self.rgb = nn.Conv2d(channels[-1], 3, 3, padding=1)
        # Random weights make pictures of hardly any contrast.
        self.contrast = 15

    def forward(self, z):
        maps = [F.glu(self.norm(self.first(z[:, :, None, None])), 1)]
        for k, up in enumerate(self.ups):
            x = up(maps[-1])
            maps.append(self.excitations[k - 2](maps[k - 2], x) if k >= 2 else x)
        return torch.tanh(self.rgb(maps[-1]) * self.contrast)


class Finest(nn.Module):
    """The official generator returns its picture and one of 128 px."""

    def __init__(self, g):
        super().__init__()
        self.g = g

    def forward(self, z):
        return self.g(z)[0]


def of_checkpoint(path, size):
    import models  # of the clone

    for layer in vars(models).values():
        if getattr(layer, '__name__', '') == 'NoiseInjection':
            layer.forward = lambda self, feat, noise=None: feat
    g = models.Generator(ngf=64, nz=256, im_size=size)
    weights = torch.load(path, map_location='cpu')['g']
    g.load_state_dict({name.replace('module.', ''): value for name, value in weights.items()})
    return Finest(g)


if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('file')
    p.add_argument('--checkpoint')
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--width', type=int, default=16, help='channels of the last layer')
    a = p.parse_args()
    torch.manual_seed(0)
    g = of_checkpoint(a.checkpoint, a.size) if a.checkpoint else FastGAN(a.size, a.width)
    g = g.eval()
    with torch.no_grad():
        torch.onnx.export(g, torch.randn(2, 256), a.file, input_names=['z'], output_names=['image'], opset_version=14,
                          dynamic_axes={'z': {0: 'n'}, 'image': {0: 'n'}})
