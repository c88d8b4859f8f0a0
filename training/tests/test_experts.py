"""The fast path through the experts against its plain definition, forwards and backwards."""
import pytest
import torch

from microturn_training.model import Config, Kernels, MixtureOfExperts, Routed, routed_plainly


def inputs(tokens: int, experts: int, chosen_experts: int) -> tuple:
    torch.manual_seed(tokens)
    chosen = torch.stack([torch.randperm(chosen_experts)[:2] for _ in range(tokens)])
    return (torch.randn(tokens, 32, requires_grad=True), chosen, torch.rand(tokens, 2, requires_grad=True),
            torch.randn(experts, 16, 32, requires_grad=True), torch.randn(experts, 32, 8, requires_grad=True))


@pytest.mark.parametrize("tokens, experts, chosen_experts", [(1, 5, 5), (37, 5, 5), (64, 2, 2), (200, 8, 3)])
def test_routed_equals_its_definition_and_so_do_its_gradients(tokens, experts, chosen_experts):
    x, chosen, weight, gate_up, down = inputs(tokens, experts, chosen_experts)
    fast, plain = Routed.apply(x, chosen, weight, gate_up, down, Kernels()), routed_plainly(x, chosen, weight, gate_up, down)
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-4)
    gradient = torch.randn_like(fast)
    arguments = x, weight, gate_up, down
    for mine, theirs in zip(torch.autograd.grad(fast, arguments, gradient), torch.autograd.grad(plain, arguments, gradient)):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("low", [False, True])
def test_compiled_parts_change_nothing_forwards_and_backwards(low):
    torch.manual_seed(1)
    moe = MixtureOfExperts(Config(vocab_size=10, hidden_size=32, expert_width=8))
    for p in moe.parameters():
        torch.nn.init.normal_(p, std=0.2)
    x = torch.randn(1, 96, 32, requires_grad=True)

    def both() -> list[torch.Tensor]:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            y = moe(x)
        return [y.detach(), *torch.autograd.grad(y.float().square().sum(), [x, *moe.parameters()])]
    before = both()
    moe.compile_parts()
    for now, then in zip(both(), before):
        scale = float(then.abs().max())
        torch.testing.assert_close(now, then, rtol=0.03 if low else 1e-4, atol=(0.03 if low else 1e-4) * scale)
