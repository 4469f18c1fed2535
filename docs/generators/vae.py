"""The decoder of a diffusers AutoencoderKL (Rombach et al. 2022) as an ONNX file for rgi: pretrained, or with random weights.

    python3 vae.py vae.onnx --pretrained stabilityai/sd-vae-ft-mse --size 128     # needs diffusers, downloads the weights
    python3 vae.py random.onnx --size 64                                          # to try what follows

Needs torch and onnx. A latent has the shape [4, size / 8, size / 8]; with the scaling factor of the model it is about N(0, 1).
"""
import argparse

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, n_in), nn.GroupNorm(8, n_out)
        self.conv1, self.conv2 = nn.Conv2d(n_in, n_out, 3, padding=1), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.skip = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        return self.skip(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.q, self.k, self.v, self.o = (nn.Linear(channels, channels) for _ in range(4))

    def forward(self, x):
        n, c, h, w = x.shape
        tokens = self.norm(x).reshape(n, c, h * w).transpose(1, 2)
        weights = torch.softmax(self.q(tokens) @ self.k(tokens).transpose(1, 2) / int(c) ** 0.5, -1)
        return x + self.o(weights @ self.v(tokens)).transpose(1, 2).reshape(n, c, h, w)


class Decoder(nn.Module):
    """That of AutoencoderKL: three upsamplings, `width` channels in the last."""

    def __init__(self, width):
        super().__init__()
        channels = [4 * width, 4 * width, 2 * width, width]
        self.scaling, self.first = 0.18215, nn.Conv2d(4, channels[0], 3, padding=1)
        self.middle = nn.Sequential(Residual(channels[0], channels[0]), Attention(channels[0]), Residual(channels[0], channels[0]))
        self.blocks = nn.ModuleList(
            nn.Sequential(Residual(a, b), Residual(b, b), Residual(b, b)) for a, b in zip([channels[0], *channels], channels)
        )
        self.ups = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for c in channels[:3])
        self.norm, self.rgb = nn.GroupNorm(8, width), nn.Conv2d(width, 3, 3, padding=1)

    def decode(self, z):
        x = self.middle(self.first(z))
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i < 3:
                x = self.ups[i](F.interpolate(x, scale_factor=2.0, mode='nearest'))
        return self.rgb(F.silu(self.norm(x))) * 0.6

    def forward(self, z):
        return self.decode(z / self.scaling)


class Pretrained(nn.Module):
    def __init__(self, name):
        super().__init__()
        from diffusers import AutoencoderKL

        self.vae = AutoencoderKL.from_pretrained(name)
        # Attention by products and a softmax, which every opset has.
        self.vae.set_default_attn_processor()

    def forward(self, z):
        return self.vae.decode(z / self.vae.config.scaling_factor).sample


if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('file')
    p.add_argument('--pretrained', help="a model's name on its hub, or its folder")
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--width', type=int, default=32, help='channels of the last block; 128 in Stable Diffusion')
    a = p.parse_args()
    torch.manual_seed(0)
    g = (Pretrained(a.pretrained) if a.pretrained else Decoder(a.width)).eval()
    with torch.no_grad():
        torch.onnx.export(g, torch.randn(2, 4, a.size // 8, a.size // 8), a.file, input_names=['z'],
                          output_names=['image'], opset_version=17, dynamic_axes={'z': {0: 'n'}, 'image': {0: 'n'}})
