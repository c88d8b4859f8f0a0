"""Muon alone, and shared between processes."""
import multiprocessing

import torch
import torch.distributed as dist

from microturn_training.muon import Muon, orthogonalise


def trained() -> list[torch.Tensor]:
    torch.manual_seed(0)
    parameters = [(torch.nn.Parameter(torch.randn(12, 8)), 1), (torch.nn.Parameter(torch.randn(8, 8)), 1),
                  (torch.nn.Parameter(torch.randn(3, 16, 8)), 2), (torch.nn.Parameter(torch.randn(8, 20)), 1)]
    muon = Muon(parameters, precision=torch.float32)
    for _ in range(3):
        for p, _ in parameters:
            p.grad = torch.randn_like(p)
        muon.step(0.02)
    return [p.detach() for p, _ in parameters]


def shared(rank: int, path: str, queue) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    queue.put((rank, [p.numpy() for p in trained()]))
    dist.barrier()


def test_singular_values_come_near_to_one():
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(4, 30, 20), precision=torch.float32))
    assert values.min() > 0.6 and values.max() < 1.3


def test_processes_that_share_the_work_make_what_one_makes_alone(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=shared, args=(rank, str(tmp_path / "rendezvous"), queue)) for rank in range(2)]
    for p in processes:
        p.start()
    results = [queue.get(timeout=120)[1] for _ in processes]
    for p in processes:
        p.join(60)
    for result in results:
        for mine, alone in zip(result, trained()):
            torch.testing.assert_close(torch.from_numpy(mine), alone, rtol=1e-5, atol=1e-6)
