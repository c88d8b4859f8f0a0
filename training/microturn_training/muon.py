"""Muon: momentum whose matrix updates are orthogonalised, for hidden matrices; AdamW takes everything else.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the quintic Newton-Schulz
coefficients are theirs. Matrices of one shape are orthogonalised together.
"""
from __future__ import annotations

import torch
import torch.distributed as dist


def orthogonalise(m: torch.Tensor, steps: int = 5, precision: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """Nearest semi-orthogonal matrices, roughly (singular values in about 0.7 .. 1.2); m `[n, rows, columns]`."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = m.shape[-2] <= m.shape[-1]
    x = (m if wide else m.mT).to(precision)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        g = x @ x.mT
        x = a * x + (b * g + c * (g @ g)) @ x
    return x if wide else x.mT


class Muon:
    """`parameters`: matrices `[rows, columns]` or stacks `[n, rows, columns]`. `split` cuts the rows into that many matrices."""

    def __init__(self, parameters: list[tuple[torch.nn.Parameter, int]], momentum: float = 0.95, weight_decay: float = 0.03,
                 precision: torch.dtype = torch.bfloat16):
        self.parameters, self.momentum, self.weight_decay, self.precision = parameters, momentum, weight_decay, precision
        self.buffers = [torch.zeros_like(p) for p, _ in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        groups: dict[tuple, list] = {}
        for (p, split), buffer in zip(self.parameters, self.buffers):
            buffer.mul_(self.momentum).add_(p.grad)
            update = p.grad.add(buffer, alpha=self.momentum)
            m = update.reshape(-1, p.shape[-2] // split, p.shape[-1])
            groups.setdefault(tuple(m.shape[1:]), []).append((p, m))
        stacks = [torch.cat([m for _, m in members]) for members in groups.values()]
        for members, done in zip(groups.values(), self._orthogonalised(stacks)):
            for (p, m), update in zip(members, done.split([len(m) for _, m in members])):
                scale = max(1.0, m.shape[1] / m.shape[2]) ** 0.5
                p.mul_(1 - rate * self.weight_decay).add_(update.reshape(p.shape), alpha=-rate * scale)

    def _orthogonalised(self, stacks: list[torch.Tensor]) -> list[torch.Tensor]:
        """The stacks orthogonalised. Training processes hold the same matrices: each does its share and gets the others'."""
        if not dist.is_initialized():
            return [orthogonalise(m, precision=self.precision).float() for m in stacks]
        rank, count = dist.get_rank(), dist.get_world_size()
        out = [torch.zeros_like(m) for m in stacks]
        for m, done in zip(stacks, out):
            if rank < len(m):
                done[rank::count] = orthogonalise(m[rank::count], precision=self.precision).float()
        flat = torch.cat([m.flatten() for m in out])
        dist.all_reduce(flat)
        return [part.view_as(m) for part, m in zip(flat.split([m.numel() for m in out]), out)]

    def state_dict(self) -> list[torch.Tensor]:
        return self.buffers

    def load_state_dict(self, buffers: list[torch.Tensor]) -> None:
        self.buffers = buffers
