"""The PyTorch peer of `npm run bench -- large`: a step of Adam on z, squared error, of a generator of docs/generators with random weights.

    python3 bench/pytorch_generators.py stylegan2|pggan SIZE [eager|channels-last] [--steps 5] [--threads 1] [--batch 1]

Prints wall and processor milliseconds of the median step (the first is left out), and the peak memory of the process. Needs torch.
"""
import argparse
import os
import resource
import statistics
import sys
import time

p = argparse.ArgumentParser()
p.add_argument('network', choices=['stylegan2', 'pggan'])
p.add_argument('size', type=int)
p.add_argument('layout', nargs='?', default='eager', choices=['eager', 'channels-last'])
p.add_argument('--steps', type=int, default=5)
p.add_argument('--threads', type=int, default=1)
p.add_argument('--batch', type=int, default=1)
a = p.parse_args()
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = str(a.threads)
sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'docs', 'generators'))

import torch  # after the number of threads is set

torch.set_num_threads(a.threads)
torch.manual_seed(0)
if a.network == 'stylegan2':
    from stylegan2 import random_weights

    g = random_weights(a.size, 32768, 512)[0]
else:
    from pggan import PGGAN

    g = PGGAN(a.size, 8192, 512).eval()
for weight in g.parameters():
    weight.requires_grad_(False)
if a.layout == 'channels-last':
    g = g.to(memory_format=torch.channels_last)
x = torch.full([a.batch, 3, a.size, a.size], 0.1)
z = torch.randn(a.batch, 512, requires_grad=True)
adam = torch.optim.Adam([z], 0.1)
wall, processor = [], []
for _ in range(a.steps):
    began = time.perf_counter(), time.process_time()
    adam.zero_grad()
    (x - g(z)).square().sum().backward()
    adam.step()
    wall.append(time.perf_counter() - began[0])
    processor.append(time.process_time() - began[1])
ms = [round(1000 * statistics.median(times[1:])) for times in (wall, processor)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
print(f'{a.network} {a.size}, batch {a.batch}, {a.layout}: {ms[0]} ms a step (processor {ms[1]}); peak {peak:.2f} GB', flush=True)
