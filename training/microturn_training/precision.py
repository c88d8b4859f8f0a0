"""Which precision matrix products are faster in on this CPU: that it has instructions for bfloat16 says little.

On a Xeon server of 2023 whose AMX was kept from its guests, bfloat16 made 80 Gflop/s and float32 130 to 160; a training run went from 2,300 positions a second
to 2,800 (other work on the machine aside). With AMX it is the other way round.
"""
from __future__ import annotations

import time

import torch

ROWS, INNER, OUTER = 3240, 256, 768   # of a product as training has them
CLEARLY = 0.9                         # of the time of float32: bfloat16 costs some of what is right


def seconds(precision: torch.dtype, times: int = 8) -> float:
    """The fastest of some products, on one thread as in training."""
    x, weight = torch.ones(ROWS, INNER, dtype=precision), torch.ones(OUTER, INNER, dtype=precision)
    threads, best = torch.get_num_threads(), float("inf")
    torch.set_num_threads(1)
    for _ in range(times):
        start = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        best = min(best, time.perf_counter() - start)
    torch.set_num_threads(threads)
    return best


def faster(instructions: bool | None = None, seconds=seconds) -> str:
    """`bfloat16` where its products are clearly faster, else `float32`. `instructions`: whether the CPU has any for it, without which
    it takes a hundred times as long and is not even tried; by default it is asked."""
    if not (torch.cpu._is_avx512_bf16_supported() if instructions is None else instructions):
        return "float32"
    return "bfloat16" if seconds(torch.bfloat16) < CLEARLY * seconds(torch.float32) else "float32"
