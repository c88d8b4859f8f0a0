"""Writes `fixtures/mini-tiny-parity.*`: a tiny random duplex model, its inputs and what this implementation yields.

The graph builder is tested against it. Windows of 2 and 4 micro-turns make every ring wrap within the 12 micro-turns.
The weights are float16 (all arithmetic here is float32 on those rounded weights). Greedy outputs are only meaningful
where the two best logits are apart, so a seed is taken for which they are, and both controls occur.
"""
from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from .export import manifest_config
from .generate import generate
from .model import Config, Duplex

TURNS, SLICE = 12, 2
CONFIG = Config(vocab_size=40, hidden_size=12, num_layers=2, global_layers=[1], num_heads=4, num_kv_heads=2, head_dim=8, rel_dim=4,
                sliding_window=18, global_extent=24, global_window=36, sink_positions=9, dense_width=32, num_experts=4, expert_width=8,
                patch_layers=[(1, 5, 8), (1, 2, 8), (1, 4, 16), (2, 1, 12)])


def margin(logits: torch.Tensor) -> float:
    best = logits.topk(2, -1).values
    return float((best[..., 0] - best[..., 1]).min())


def attempt(seed: int) -> tuple[Duplex, dict, dict, float]:
    torch.manual_seed(seed)
    net = Duplex(CONFIG)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "sconv" in name or "bias" in name:
                p.normal_(0, 0.2)
            elif name.endswith("norm.weight"):
                p.uniform_(0.7, 1.4)
            elif "head" in name or "gate.weight" in name:
                p.normal_(0, 0.5)
            elif name.endswith("_proj.weight"):
                p.normal_(0, 0.3)
        net.layers[1].mlp.gate.e_score_correction_bias.normal_(0, 0.1)
    net.load_state_dict({k: v.half().float() for k, v in net.state_dict().items()})
    seen = [1, 2, 7]
    data = {"audio": torch.randint(0, 16, (1, TURNS, 4, 80), dtype=torch.uint8), "seen": seen,
            "images": torch.randint(0, 256, (len(seen), 2, 40, 39, 3), dtype=torch.uint8)}
    full = torch.zeros(1, TURNS, 2, 40, 39, 3, dtype=torch.uint8)
    full[0, seen] = data["images"]
    present = torch.zeros(1, TURNS, dtype=torch.bool)
    present[0, seen] = True
    patch_input = net.patch_input

    def some_turns(batch, turns, camera, images):  # the camera is on in some micro-turns only
        empty = patch_input(batch, turns, camera, images[:0])
        return torch.where(present[..., None], patch_input(batch, turns, camera, images), empty)
    net.patch_input = some_turns
    out = generate(net, data["audio"], torch.tensor([True]), full, keep_logits=True)
    del net.patch_input
    apart = min(margin(out[k + "_logits"]) for k in ("text", "heard", "control", "speech"))
    controls = out["control"].unique().tolist()
    return net, data, out, apart if 1 in controls and 2 in controls else -1.0


def main() -> None:
    folder = Path(sys.argv[1])
    best = max(range(12), key=lambda s: attempt(s)[3])
    net, data, out, apart = attempt(best)
    weights = {k: v.half().contiguous() for k, v in net.state_dict().items()}
    save_file(weights, folder / "mini-tiny-parity.safetensors")
    (folder / "mini-tiny-parity.safetensors").chmod(0o644)
    number = lambda t: [float(f"{x:.5f}") for x in t.flatten().tolist()]  # noqa: E731
    fixture = {
        "origin": f"training/microturn_training/parity.py, torch {torch.__version__}, float32, seed {best}",
        "tolerance": f"relative 1e-4 on logits; the greedy choices are at least {apart:.1e} apart",
        "config": manifest_config(CONFIG, None), "turns": TURNS,
        "dmel": base64.b64encode(data["audio"].numpy().tobytes()).decode(), "dmelLayout": "uint8 [turns, 4, 80], base64",
        "imageTurns": data["seen"],
        "images": [base64.b64encode(i.numpy().tobytes()).decode() for i in data["images"]],
        "imageLayout": "each: uint8 [2, 40, 39, 3] (time, row, column, rgb), base64; the missing 40th column is raw -1 before /255 and CLIP normalisation",
        "text": out["text"][0].tolist(), "heard": out["heard"][0].tolist(), "control": out["control"][0].tolist(),
        "speech": base64.b64encode(out["speech"][0].numpy().tobytes()).decode(),
        "speechLayout": f"uint8 [{4 * TURNS}, 160], base64; forced to 0 under listen, as text is",
        "textLogits": number(out["text_logits"]), "heardLogits": number(out["heard_logits"]),
        "controlLogits": number(out["control_logits"]), "speechLogitsChannels": SLICE,
        "speechLogits": number(out["speech_logits"][:, :, :SLICE]),
    }
    (folder / "mini-tiny-parity.json").write_text(json.dumps(fixture) + "\n")
    print(f"seed {best}, margin {apart:.2e}, controls {sorted(set(fixture['control']))}, "
          f"{sum((folder / f'mini-tiny-parity.{e}').stat().st_size for e in ('json', 'safetensors')) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
