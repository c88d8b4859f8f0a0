"""Cached, position by position, equals the whole session at once: causality, windows, sinks and caches are right."""
from dataclasses import replace

import pytest
import torch

from microturn_training.generate import generate
from microturn_training.model import LISTEN, Config, Duplex

SMALL = Config(vocab_size=40, hidden_size=32, num_layers=2, global_layers=[1], num_heads=4, num_kv_heads=2, head_dim=8, rel_dim=4,
               sliding_window=18, global_extent=24, global_window=36, dense_width=64, num_experts=4, expert_width=16,
               patch_layers=[(1, 5, 32), (1, 2, 64), (1, 4, 128), (2, 1, 32)])


READING = replace(SMALL, text_slots=2, sliding_window=22, global_window=44, sink_positions=11)


@torch.no_grad()
@pytest.mark.parametrize("config", [SMALL, READING], ids=["no text slots", "two text slots"])
@pytest.mark.parametrize("turns", [1, 12, 45])
def test_steps_with_a_cache_equal_teacher_forcing(turns, config):
    torch.manual_seed(turns)
    net = Duplex(config).eval()
    for name, p in net.named_parameters():
        if "sconv" in name:
            p.normal_(0, 0.2)
    batch, outputs = 2, 4 * turns
    audio, camera = torch.randint(0, 16, (batch, turns, 4, 80), dtype=torch.uint8), torch.tensor([True, False])
    images = torch.randint(0, 255, (1, turns, 2, 40, 39, 3), dtype=torch.uint8)
    live = torch.rand(batch, outputs, 1) < 0.5
    labels = {"text": torch.randint(0, 40, (batch, outputs)), "heard": torch.randint(0, 40, (batch, outputs)),
              "control": torch.randint(1, 3, (batch, outputs)), "speech": torch.randint(0, 16, (batch, outputs, 160), dtype=torch.uint8) * live}
    told = torch.randint(0, 40, (batch, turns, config.text_slots))
    stepped = generate(net, audio, camera, images, forced=labels, keep_logits=True, told=told)
    fed = {k: torch.cat([torch.full_like(v[:, :1], LISTEN if k == "control" else 0), v[:, :-1]], 1) for k, v in labels.items()}
    _, h = net(audio, camera, images, **fed, told=told)
    text, heard, control = net.heads(h)
    for ours, name in ((text, "text"), (heard, "heard"), (control, "control"), (net.speech_logits(h), "speech")):
        assert (ours - stepped[name + "_logits"]).abs().max() < 1e-5
    untold = generate(net, audio, camera, images, forced=labels, keep_logits=True)
    assert ((untold["text_logits"] - stepped["text_logits"]).abs().max() > 1e-3) == (config.text_slots > 0)


@torch.no_grad()
def test_under_listen_nothing_is_said():
    torch.manual_seed(3)
    net = Duplex(SMALL).eval()
    net.microturn.control_head.weight.mul_(50)
    out = generate(net, torch.randint(0, 16, (4, 10, 4, 80), dtype=torch.uint8), torch.zeros(4, dtype=torch.bool),
                   torch.zeros(0, 10, 2, 40, 39, 3, dtype=torch.uint8))
    listening = out["control"] == LISTEN
    assert listening.any() and not listening.all()
    assert out["text"][listening].max() == 0 and out["speech"][listening].max() == 0


@torch.no_grad()
def test_with_a_start_margin_it_goes_on_listening_where_it_was_not_sure():
    torch.manual_seed(3)
    net = Duplex(SMALL).eval()
    net.microturn.control_head.weight.mul_(50)
    audio = torch.randint(0, 16, (4, 10, 4, 80), dtype=torch.uint8)
    quiet = torch.zeros(4, dtype=torch.bool), torch.zeros(0, 10, 2, 40, 39, 3, dtype=torch.uint8)
    out = generate(net, audio, *quiet, keep_logits=True, start_margin=1.2)
    listened = torch.cat([torch.ones(4, 1, dtype=torch.bool), out["control"][:, :-1] == LISTEN], 1)
    logits = out["control_logits"]
    ahead = logits.amax(-1) - logits[..., LISTEN]
    assert torch.equal(out["control"] == LISTEN, ahead <= 1.2 * listened)
    assert ((ahead > 0) & (out["control"] == LISTEN)).any() and ((ahead > 1.2) & listened).any()
