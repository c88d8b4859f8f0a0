"""Writes a checkpoint as a model folder: `model.safetensors`, `tokenizer.json`, `microturn.json` (docs/models.md).

Works on any checkpoint, also while training goes on. The weights of the vocoder and of the acoustic model are merged when they exist.
"""
from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from .acoustic import Shape as acoustic_shape
from .dmel import DMEL_SPEECH, RATE
from .model import BINS, LEVELS, Config, Duplex
from .recipe import RECIPE

VOCODER_CONFIG = {"width": 128, "blocks": 4, "kernel": 5, "subFrames": 2, "envelopePoints": 65}


def manifest_config(c: Config, vocoder: dict | None, acoustic: dict | None = None, start_margin: float = 0) -> dict:
    """The `config` part of `microturn.json`."""
    def heads(extent: int) -> dict:
        return {"heads": c.num_heads, "kvHeads": c.num_kv_heads, "headDim": c.head_dim, "relativeExtent": extent}
    patch_layers, inner = [], 3
    for time, space, width in c.patch_layers:
        patch_layers.append({"foldTime": time, "foldSpace": space, "inputWidth": inner * time * space * space, "outputWidth": width})
        inner = width
    duplex = {"turnDurationMs": 200, "textSlots": c.text_slots, "patchSlots": 1, "audioPositions": 4, "outputPositions": 4,
              "globalWindow": c.global_window, "sinkPositions": c.sink_positions,
              "speech": {"framesPerPosition": 2, "melBins": BINS, "levels": LEVELS}, "delegates": True}
    if start_margin:
        duplex["startMargin"] = start_margin
    if acoustic:
        duplex["acoustic"] = acoustic
    if vocoder:
        duplex["vocoder"] = vocoder
    return {"hiddenSize": c.hidden_size, "vocabSize": c.vocab_size, "rmsNormEpsilon": c.norm_eps,
            "layerTypes": ["global" if i in c.global_layers else "sliding" for i in range(c.num_layers)],
            "mlpTypes": ["dense" if i in c.dense_layers else "experts" for i in range(c.num_layers)],
            "global": heads(c.global_extent), "sliding": heads(c.sliding_window), "slidingWindow": c.sliding_window,
            "relativeDim": c.rel_dim, "convKernel": c.conv_kernel, "denseWidth": c.dense_width,
            "expertWidth": c.expert_width, "experts": c.num_experts, "expertsPerToken": c.experts_per_token,
            "sharedExperts": c.shared_experts, "routeScale": c.route_scale, "mupDivisor": 1,
            "audio": {"melBins": BINS, "levels": LEVELS},
            "image": {"patchSize": 40, "temporalPatchSize": 2, "channels": 3, "layers": patch_layers}, "duplex": duplex}


def described(path: Path) -> dict:
    data = path.read_bytes()
    return {"path": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def load(checkpoint: str | Path) -> tuple[Duplex, dict]:
    saved = torch.load(checkpoint, map_location="cpu")
    net = Duplex(Config(**saved["config"]))
    net.load_state_dict(saved["net"])
    return net.eval(), saved


def export(checkpoint: str | Path, folder: Path, vocoder_file: Path | None, acoustic_file: Path | None, dtype: torch.dtype, version: str,
           evaluation: dict | None = None, start_margin: float = RECIPE.decoding.start_margin) -> None:
    if not 0 <= start_margin <= 20:
        raise ValueError(f"the start margin must be 0 to 20, got {start_margin}")
    net, saved = load(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.to(dtype).contiguous() for k, v in net.state_dict().items()}
    vocoder = None
    if vocoder_file:
        weights |= {k: v.to(dtype).contiguous() for k, v in load_file(vocoder_file).items()}
        vocoder = VOCODER_CONFIG
    acoustic = None
    if acoustic_file:
        weights |= {f"microturn.acoustic.{k}": v.to(dtype).contiguous() for k, v in torch.load(acoustic_file, map_location="cpu")["net"].items()}
        acoustic = acoustic_shape().to_config()
    save_file(weights, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text(json.dumps({"version": 1, "tokens": saved["vocabulary"]}) + "\n")
    manifest = {
        "formatVersion": 1, "name": "mini", "version": version,
        "description": "A small full-duplex interaction model: it listens, sees and speaks in 200 ms micro-turns.",
        "license": "Apache-2.0", "config": manifest_config(net.c, vocoder, acoustic, start_margin),
        "files": {"weights": [described(folder / "model.safetensors")], "tokenizer": described(folder / "tokenizer.json")},
        "codecs": {"input": "dmel-20",
                   "speech": {"preset": "dmel-speech", "sampleRate": RATE, "windowSamples": DMEL_SPEECH.window,
                              "hopSamples": DMEL_SPEECH.hop, "fftSize": DMEL_SPEECH.fft_size, "low": DMEL_SPEECH.low, "step": DMEL_SPEECH.step},
                   "image": {"width": 39, "height": 40}},
    }
    if evaluation:
        manifest["evaluation"] = evaluation
    (folder / "microturn.json").write_text(json.dumps(manifest, indent=2) + "\n")
    (folder / "model.safetensors").chmod(0o644)
    for part, file in (("vocoder", vocoder_file), ("acoustic model", acoustic_file)):
        print(f"{part}: {file or 'none; it will have no voice' if part == 'vocoder' else file or 'none; it will not say what it is told'}")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{folder}: step {saved['step']}, {len(weights)} tensors, {size / 1e6:.1f} MB")


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("checkpoint")
    a.add_argument("folder", type=Path)
    a.add_argument("--vocoder", type=Path, help="its weights; default work/vocoder/vocoder.safetensors if that is there")
    a.add_argument("--acoustic", type=Path, help="checkpoint of the acoustic model; default work/acoustic/checkpoint.pt if that is there")
    a.add_argument("--dtype", choices=["float16", "bfloat16", "float32"], default="float16")
    a.add_argument("--version", default="0.3.2")
    a.add_argument("--start-margin", type=float, default=RECIPE.decoding.start_margin, help="for the manifest; default of the recipe")
    a.add_argument("--evaluation", type=Path, help="JSON with evaluation figures for the manifest")
    args = a.parse_args()
    def there(usual: str) -> Path | None:
        return Path(usual) if Path(usual).exists() else None
    export(args.checkpoint, args.folder, args.vocoder or there("work/vocoder/vocoder.safetensors"), args.acoustic or there("work/acoustic/checkpoint.pt"), getattr(torch, args.dtype), args.version,
           json.loads(args.evaluation.read_text()) if args.evaluation else None, args.start_margin)


if __name__ == "__main__":
    main()
