"""The PyTorch peer of bench/train.ts: the same networks, the same training step, eager mode.

Reads the folder that the benchmark wrote (each network's graph as JSON and its weights as .npz, step.json), checks that
the networks give what they gave there, times the step, and prints one JSON line.
"""
import json
import os
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

BINARY = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div}
UNARY = {"Sqrt": torch.sqrt, "Sigmoid": torch.sigmoid, "Identity": lambda x: x}


def conv(x, w, b, a):
    top, left, bottom, right = a["pads"]
    assert (top, left) == (bottom, right), "symmetric padding is what these networks use"
    return F.conv2d(x, w, b, a["strides"], (top, left))


def gemm(x, w, b, a):
    x = x.t() if a.get("transA") else x
    w = w.t() if a.get("transB") else w
    return torch.addmm(b, x, w)


def resize(x, constants, a):
    factors = [float(v) for v in constants]
    size = [round(n * f) for n, f in zip(x.shape[2:], factors[-2:])]
    if a["mode"] == "nearest":
        return F.interpolate(x, size=size, mode="nearest")
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Network:
    """Computes a graph of the few operators that the trained networks are made of."""

    def __init__(self, folder, name):
        with open(os.path.join(folder, name + ".json")) as f:
            self.graph = json.load(f)
        arrays = {k.replace("|", "/"): v for k, v in np.load(os.path.join(folder, name + ".npz")).items()}
        self.values = {k: torch.from_numpy(v.copy()) for k, v in arrays.items()}
        self.parameters = [self.values[k].requires_grad_() for k in self.graph["parameters"]]
        self.expected = {k: self.values.pop(k) for k in self.graph["outputs"]}
        self.given = {k: self.values.pop(k) for k in self.graph["inputs"]}

    def __call__(self, x):
        values = dict(self.values)
        values[self.graph["inputs"][0]] = x
        for node in self.graph["nodes"]:
            a = node["attributes"]
            args = [values[i] if i else None for i in node["inputs"]]
            values[node["outputs"][0]] = self.apply(node["operator"], a, args)
        made = [values[o] for o in self.graph["outputs"]]
        return made[0] if len(made) == 1 else made

    @staticmethod
    def apply(operator, a, args):
        x = args[0]
        if operator in BINARY:
            return BINARY[operator](*args)
        if operator in UNARY:
            return UNARY[operator](x)
        if operator == "Conv":
            return conv(x, args[1], args[2], a)
        if operator == "Gemm":
            return gemm(*args, a)
        if operator == "LeakyRelu":
            return F.leaky_relu(x, a["alpha"])
        if operator == "Reshape":
            return x.reshape([int(v) for v in args[1]])
        if operator == "ReduceMean":
            return x.mean([int(v) for v in args[1]], keepdim=bool(a.get("keepdims", 1)))
        if operator == "AveragePool":
            return F.avg_pool2d(x, a["kernel_shape"], a["strides"])
        if operator == "Concat":
            return torch.cat(args, a["axis"])
        if operator == "Expand":
            return x.expand([int(v) for v in args[1]])
        if operator == "Resize":
            return resize(x, args[2], a)
        raise NotImplementedError(operator)

    def check(self, name):
        with torch.no_grad():
            made = self(*self.given.values())
        for own, (output, expected) in zip(made if isinstance(made, list) else [made], self.expected.items()):
            error = float((own - expected).norm() / (expected.norm() + 1e-12))
            assert error < 1e-3, f"{name} gives another {output}: relative error {error:.1e}"


class Step:
    def __init__(self, folder):
        with open(os.path.join(folder, "step.json")) as f:
            self.how = json.load(f)
        torch.set_num_threads(self.how["threads"])
        self.g, self.d, self.e = (Network(folder, n) for n in ("generator", "discriminator", "encoder"))
        for name, network in (("generator", self.g), ("discriminator", self.d), ("encoder", self.e)):
            network.check(name)
        betas = (self.how["betas"]["beta1"], self.how["betas"]["beta2"])
        adam = lambda parameters: torch.optim.Adam(parameters, lr=self.how["rate"], betas=betas, foreach=True)
        self.trained = self.g.parameters + self.e.parameters
        self.averages = [p.detach().clone() for p in self.trained]
        self.adam_g, self.adam_d = adam(self.trained), adam(self.d.parameters)

    def generator_step(self, x, z, noise):
        weights = self.how["weights"]
        mu, log_variance = self.e(x)
        code = mu + (0.5 * log_variance).exp() * noise
        divergence = 0.5 * (mu * mu + log_variance.exp() - log_variance - 1).sum() / len(x)
        fake = self.g(torch.cat([z, code]))
        rebuilt = ((fake[len(z):] - x) ** 2).mean()
        adversarial = F.softplus(-self.d(fake)).mean()
        loss = (weights["adversarial"] * adversarial + weights["reconstruction"] * rebuilt
                + weights["divergence"] * divergence / x[0].numel())
        self.adam_g.zero_grad(set_to_none=True)
        # The discriminator's own gradients are not asked for.
        for p, g in zip(self.trained, torch.autograd.grad(loss, self.trained)):
            p.grad = g
        self.adam_g.step()
        with torch.no_grad():
            torch._foreach_mul_(self.averages, 0.998)
            torch._foreach_add_(self.averages, self.trained, alpha=0.002)
        return fake.detach()

    def discriminator_step(self, real, fake, penalised):
        real.requires_grad_(penalised)
        score = self.d(real)
        loss = F.softplus(-score).mean() + F.softplus(self.d(fake)).mean()
        if penalised:
            gradient, = torch.autograd.grad(score.sum(), real, create_graph=True)
            loss = loss + 0.5 * self.how["penalty"] * (gradient ** 2).sum([1, 2, 3]).mean()
        self.adam_d.zero_grad(set_to_none=True)
        loss.backward(inputs=self.d.parameters)
        self.adam_d.step()

    def __call__(self, penalised):
        samples, rebuilt, latent = (self.how[k] for k in ("samples", "reconstructions", "latent"))
        real = torch.rand(samples + rebuilt, *self.d.given["image"].shape[1:]) * 2 - 1
        fake = self.generator_step(real[:rebuilt], torch.randn(samples, latent), torch.randn(rebuilt, latent))
        self.discriminator_step(real, fake, penalised)


def milliseconds(step, penalised, seconds, clock):
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = clock()
        step(penalised)
        times.append(clock() - start)
    return 1000 * statistics.median(times[2:])


def main():
    step = Step(sys.argv[1])
    clock = time.process_time if step.how["busy"] else time.perf_counter
    seconds = step.how["seconds"] / 2
    plain = milliseconds(step, False, seconds, clock)
    penalised = milliseconds(step, True, seconds, clock)
    print(json.dumps({"version": torch.__version__, "plain": plain, "penalised": penalised}))


if __name__ == "__main__":
    main()
