"""BigGAN's generator (Brock et al. 2019) as an ONNX file for rgi: pretrained BigGAN-deep, or BigGAN with random weights.

    python3 biggan.py biggan.onnx --pretrained biggan-deep-128     # needs pytorch-pretrained-biggan, downloads the weights
    python3 biggan.py random.onnx --size 64                        # to try what follows

Needs torch and onnx. The class stays an input: rgi is given it with --input label=207.
"""
import argparse
import math

import torch
import torch.nn.functional as F
from torch import nn


class ConditionalNorm(nn.Module):
    def __init__(self, channels, condition):
        super().__init__()
        self.register_buffer('mean', torch.zeros(channels, 1, 1))
        self.register_buffer('variance', torch.ones(channels, 1, 1))
        self.gain = nn.Linear(condition, channels, bias=False)
        self.bias = nn.Linear(condition, channels, bias=False)

    def forward(self, x, y):
        x = (x - self.mean) * torch.rsqrt(self.variance + 1e-5)
        return x * (1 + self.gain(y))[:, :, None, None] + self.bias(y)[:, :, None, None]


class Block(nn.Module):
    def __init__(self, n_in, n_out, condition):
        super().__init__()
        self.norm1, self.norm2 = ConditionalNorm(n_in, condition), ConditionalNorm(n_out, condition)
        self.conv1, self.conv2 = nn.Conv2d(n_in, n_out, 3, padding=1), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.skip = nn.Conv2d(n_in, n_out, 1)

    def forward(self, x, y):
        h = F.interpolate(F.relu(self.norm1(x, y)), scale_factor=2.0, mode='nearest')
        h = self.conv2(F.relu(self.norm2(self.conv1(h), y)))
        return h + self.skip(F.interpolate(x, scale_factor=2.0, mode='nearest'))


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.theta, self.phi = nn.Conv2d(channels, channels // 8, 1), nn.Conv2d(channels, channels // 8, 1)
        self.g, self.o = nn.Conv2d(channels, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)
        self.gamma = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        side = int(x.shape[2])
        theta = self.theta(x).flatten(2)
        phi, g = F.max_pool2d(self.phi(x), 2).flatten(2), F.max_pool2d(self.g(x), 2).flatten(2)
        weights = torch.softmax(theta.transpose(1, 2) @ phi, -1)
        o = (g @ weights.transpose(1, 2)).reshape(-1, g.shape[1], side, side)
        return x + self.gamma * self.o(o)


class BigGAN(nn.Module):
    def __init__(self, size, width, classes=1000, chunk=20, embedding=128):
        super().__init__()
        steps = int(math.log2(size // 4))
        multiples = [2**k for k in range(steps - 1, -1, -1)]
        channels = [width * m for m in [multiples[0], *multiples]]
        self.chunk, self.z = chunk, chunk * (steps + 1)
        self.embedding = nn.Embedding(classes, embedding)
        self.first = nn.Linear(chunk, channels[0] * 16)
        self.blocks = nn.ModuleList(Block(a, b, chunk + embedding) for a, b in zip(channels, channels[1:]))
        self.attention, self.attended = Attention(channels[-2]), steps - 2
        self.norm, self.rgb = nn.BatchNorm2d(channels[-1]), nn.Conv2d(channels[-1], 3, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.orthogonal_(layer.weight)

    def forward(self, z, label):
        y = self.embedding(label)
        first, *rest = torch.split(z, self.chunk, 1)
        x = self.first(first).reshape(-1, self.first.out_features // 16, 4, 4)
        for i, (block, part) in enumerate(zip(self.blocks, rest)):
            x = block(x, torch.cat([y, part], 1))
            if i == self.attended:
                x = self.attention(x)
        return torch.tanh(self.rgb(F.relu(self.norm(x))) * 0.3)


class Pretrained(nn.Module):
    def __init__(self, name, truncation):
        super().__init__()
        from pytorch_pretrained_biggan import BigGAN as Deep

        self.g, self.truncation = Deep.from_pretrained(name), truncation

    def forward(self, z, label):
        return self.g(z, F.one_hot(label, 1000).float(), self.truncation)


if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('file')
    p.add_argument('--pretrained', help='biggan-deep-128, biggan-deep-256 or biggan-deep-512')
    p.add_argument('--truncation', type=float, default=1, help='selects the statistics of batch normalisation')
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--width', type=int, default=32, help='channels of the last block')
    a = p.parse_args()
    torch.manual_seed(0)
    g = Pretrained(a.pretrained, a.truncation).eval() if a.pretrained else BigGAN(a.size, a.width).eval()
    z = torch.randn(2, 128 if a.pretrained else g.z)
    with torch.no_grad():
        torch.onnx.export(g, (z, torch.tensor([207, 207])), a.file, input_names=['z', 'label'], output_names=['image'],
                          opset_version=14, dynamic_axes={'z': {0: 'n'}, 'label': {0: 'n'}, 'image': {0: 'n'}})
