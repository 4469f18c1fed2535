"""StyleGAN2's generator (Karras et al. 2020) as an ONNX file for rgi: of the official pickle, or with random weights.

    python3 stylegan2.py stylegan2.onnx --pickle ffhq.pkl     # in a clone of stylegan2-ada-pytorch or stylegan3
    python3 stylegan2.py random.onnx --size 64                # no clone, no pickle: to try what follows
    python3 stylegan2.py free.onnx --size 64 --noise-inputs   # the layers' noise as inputs, to be searched or given

Needs torch and onnx. The pickle is read with the classes of the repository, which must be on the path; it holds code: open only those that
you trust.
"""
import argparse
import math
import pickle

import torch
from torch import nn
import torch.nn.functional as F


def channels(res, base=32768, most=512):
    return min(base // res, most)


class Dense(nn.Module):
    def __init__(self, n_in, n_out, bias=0.0, rate=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) / rate)
        self.bias = nn.Parameter(torch.full([n_out], float(bias)))
        self.scale, self.rate = rate / math.sqrt(n_in), rate

    def forward(self, x):
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Mapping(nn.Module):
    def __init__(self, z=512, w=512, depth=8):
        super().__init__()
        self.layers = nn.ModuleList(Dense(z if i == 0 else w, w, rate=0.01) for i in range(depth))

    def forward(self, z):
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2) * math.sqrt(2)
        return x


def fir(gain):
    k = torch.tensor([1.0, 3.0, 3.0, 1.0])
    k = k[:, None] * k[None, :]
    return k / k.sum() * gain


class ModulatedConv(nn.Module):
    def __init__(self, n_in, n_out, kernel, w=512, up=False, demodulate=True):
        super().__init__()
        self.style = Dense(w, n_in, bias=1)
        self.weight = nn.Parameter(torch.randn(n_out, n_in, kernel, kernel))
        self.scale = 1 / math.sqrt(n_in * kernel * kernel)
        self.n_in, self.n_out = n_in, n_out
        self.up, self.demodulate, self.kernel = up, demodulate, kernel
        if up:
            self.register_buffer('blur', fir(4)[None, None])

    def forward(self, x, w):
        style = self.style(w)
        weight = self.weight * self.scale
        # Modulates the activations, not the weights: one convolution serves every image of a batch.
        x = self.convolve(x * style[:, :, None, None], weight)
        if self.demodulate:
            # The sum over inputs and kernel of (style * weight)^2, without the weights of each image in memory.
            power = style.square() @ weight.square().sum([2, 3]).T
            x = x * torch.rsqrt(power + 1e-8)[:, :, None, None]
        return x

    def convolve(self, x, weight):
        if self.up:
            return self.blurred(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        return F.conv2d(x, weight, padding=self.kernel // 2)

    def blurred(self, x):
        return F.conv2d(x, self.blur.expand(self.n_out, 1, 4, 4), padding=1, groups=self.n_out)


class Layer(nn.Module):
    def __init__(self, n_in, n_out, res, up):
        super().__init__()
        self.conv = ModulatedConv(n_in, n_out, 3, up=up)
        self.register_buffer('noise', torch.randn(res, res))
        self.strength = nn.Parameter(torch.tensor(0.1))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x, w):
        x = self.conv(x, w) + self.noise * self.strength
        return F.leaky_relu(x + self.bias[None, :, None, None], 0.2) * math.sqrt(2)


class ToRGB(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.conv = ModulatedConv(n_in, 3, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))
        self.register_buffer('blur', fir(4)[None, None])

    def forward(self, x, w, image):
        y = self.conv(x, w) + self.bias[None, :, None, None]
        if image is None:
            return y
        up = F.conv_transpose2d(image, self.blur.expand(3, 1, 4, 4), stride=2, padding=1, groups=3)
        return y + up


class StyleGAN2(nn.Module):
    def __init__(self, size, base=32768, most=512):
        super().__init__()
        self.mapping = Mapping()
        self.const = nn.Parameter(torch.randn(1, channels(4, base, most), 4, 4))
        self.layers, self.rgbs = nn.ModuleList(), nn.ModuleList()
        res, c = 4, channels(4, base, most)
        self.layers.append(Layer(c, c, 4, False))
        self.rgbs.append(ToRGB(c))
        while res < size:
            res *= 2
            o = channels(res, base, most)
            self.layers.append(Layer(c, o, res, True))
            self.layers.append(Layer(o, o, res, False))
            self.rgbs.append(ToRGB(o))
            c = o

    def forward(self, z):
        w = self.mapping(z)
        x = self.const.repeat(z.shape[0], 1, 1, 1)
        x = self.layers[0](x, w)
        image = self.rgbs[0](x, w, None)
        for i in range(1, len(self.rgbs)):
            x = self.layers[2 * i - 1](x, w)
            x = self.layers[2 * i](x, w)
            image = self.rgbs[i](x, w, image)
        return image


class Official(nn.Module):
    """G of a pickle: z to a picture in about [-1, 1], by operators that ONNX has."""

    def __init__(self, g, psi):
        super().__init__()
        self.g, self.psi = g, psi

    def forward(self, z):
        label = torch.zeros([z.shape[0], self.g.c_dim])
        ws = self.g.mapping(z, label, truncation_psi=self.psi)
        # Fixed noise: a search needs one function. Unfused: StyleGAN2's weights are modulated per image otherwise, for one batch size.
        return self.g.synthesis(ws, noise_mode='const', force_fp32=True, fused_modconv=False)


class WithNoise(nn.Module):
    """`g` with the noise of its layers as inputs [n, 1, side, side], in the order of its buffers."""

    def __init__(self, g):
        super().__init__()
        self.g = g
        self.noise = [(module, name) for module in g.modules() for name in ('noise', 'noise_const') if name in module._buffers]

    def forward(self, z, *images):
        for (module, name), image in zip(self.noise, images):
            module._buffers[name] = image
        return self.g(z)


def of_pickle(path, psi):
    with open(path, 'rb') as file:
        g = pickle.load(file)['G_ema'].float().cpu().eval()
    return Official(g, psi), g.z_dim


def random_weights(size, base, most):
    torch.manual_seed(0)
    g = StyleGAN2(size, base, most).eval()
    with torch.no_grad():
        # Pictures of random weights as wide as photographs: a standard deviation of 0.4.
        gain = 0.4 / float(g(torch.randn(16, 512)).std())
        for rgb in g.rgbs:
            rgb.conv.scale *= gain
    return g, 512


if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('file')
    p.add_argument('--pickle', help='network of the official repository')
    p.add_argument('--psi', type=float, default=1, help='truncation; 1 is none')
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--base', type=int, default=32768, help='channels of a layer times its side')
    p.add_argument('--most', type=int, default=512, help='most channels of a layer')
    p.add_argument('--noise-inputs', action='store_true', help='noise of the layers as inputs noise.0, noise.1, ...')
    a = p.parse_args()
    g, z_dim = of_pickle(a.pickle, a.psi) if a.pickle else random_weights(a.size, a.base, a.most)
    values, names = [torch.randn(2, z_dim)], ['z']
    if a.noise_inputs:
        g = WithNoise(g)
        if not g.noise:
            p.error('--noise-inputs: the network has no noise buffers')
        values += [torch.randn(2, 1, *module._buffers[name].shape) for module, name in g.noise]
        names += [f'noise.{i}' for i in range(len(values) - 1)]
    with torch.no_grad():
        torch.onnx.export(g, tuple(values), a.file, input_names=names, output_names=['image'], opset_version=14, do_constant_folding=False,
                          dynamic_axes={name: {0: 'n'} for name in [*names, 'image']})
