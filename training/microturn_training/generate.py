"""Free-running sessions: the model hears the user and its own past outputs only. Greedy, batched, with a cache."""
from __future__ import annotations

import torch

from .model import LISTEN, OUTPUT_POSITIONS, SPEECH, Duplex, LayerState


@torch.no_grad()
def generate(net: Duplex, audio, camera, images, forced: dict | None = None, keep_logits: bool = False, told=None, start_margin: float = 0.0) -> dict[str, torch.Tensor]:
    """Runs whole sessions.

    audio uint8 [B, N, 4, 80]; camera bool [B]; images uint8 [sessions with a camera, N, 2, 40, 39, 3]; told [B, N, text slots] or None.
    While the model listens, the logit of `listen` is larger by `start_margin`.
    `forced` (text, heard, control, speech) replaces what is fed back, to compare with teacher forcing.
    Returns text, heard, control [B, N * 4], speech uint8 [B, N * 4, 160], and with `keep_logits` their logits."""
    b, n = audio.shape[:2]
    state = [LayerState() for _ in net.layers]
    patches, slots = net.patch_input(b, n, camera, images), net.told_input(b, n, told)
    fed = {"text": torch.zeros(b, dtype=torch.long), "heard": torch.zeros(b, dtype=torch.long),
           "control": torch.full((b,), LISTEN), "speech": torch.zeros(b, SPEECH, dtype=torch.uint8)}
    out: dict[str, list] = {k: [] for k in ("text", "heard", "control", "speech", "text_logits", "heard_logits", "control_logits", "speech_logits")}
    for turn in range(n):
        before = torch.cat([slots[:, turn], patches[:, turn, None], net.model.audio_tower(audio[:, turn])], 1)
        for j in range(OUTPUT_POSITIONS):
            x = net.output_input(**fed).unsqueeze(1)
            h = net.step(torch.cat([before, x], 1) if j == 0 else x, state)[:, -1]
            text, heard, control = net.heads(h)
            weighed = control.clone()
            weighed[:, LISTEN] += start_margin * (fed["control"] == LISTEN)
            y = {"heard": heard.argmax(-1), "control": weighed.argmax(-1)}
            silent = y["control"] == LISTEN
            y["text"] = text.argmax(-1).masked_fill(silent, 0)
            y["speech"] = torch.zeros(b, SPEECH, dtype=torch.uint8)
            if keep_logits or not silent.all():
                speech = net.speech_logits(h)
                y["speech"] = speech.argmax(-1).to(torch.uint8).masked_fill(silent[:, None], 0)
            for k, v in y.items():
                out[k].append(v)
            if keep_logits:
                for k, v in (("text", text), ("heard", heard), ("control", control), ("speech", speech)):
                    out[k + "_logits"].append(v)
            fed = y if forced is None else {k: forced[k][:, turn * OUTPUT_POSITIONS + j] for k in y}
    return {k: torch.stack(v, 1) for k, v in out.items() if v}
