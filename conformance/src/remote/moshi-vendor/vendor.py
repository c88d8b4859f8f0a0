"""Runs Kyutai's own `moshi.server` and `moshi.client` (package moshi) as they are published, with the model and the sound
card replaced: what is compared is the wire, not the speech. Needs `pip install sphn aiohttp numpy` and
`pip install --no-deps moshi`.

    python vendor.py server --port 8998
    python vendor.py client --url ws://127.0.0.1:8998 --steps 50 --out heard.f32
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import sys
import threading
import time
import types

import numpy as np

RATE = 24000
STEP = 1920


def tone(step: int, hertz: float, loudness: float = 0.3) -> np.ndarray:
    """One step of a tone that goes on from step to step."""
    at = np.arange(step * STEP, (step + 1) * STEP) / RATE
    return (loudness * np.sin(2 * np.pi * hertz * at)).astype(np.float32)


def module(name: str, **members) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made


def vendor_package() -> None:
    """The package without its `__init__`, which imports every model."""
    spec = importlib.util.find_spec("moshi")
    if spec is None:
        sys.exit("the package moshi is not installed: pip install --no-deps moshi")
    module("moshi").__path__ = list(spec.submodule_search_locations)


class Tensor(np.ndarray):
    """As much of torch.Tensor as the server uses."""

    def to(self, **_):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return np.asarray(self)


def tensor(values) -> Tensor:
    return np.asarray(values, dtype=np.float32).view(Tensor)


class FakeMimi:
    """Sound in, its number out; the numbers of the model in, sound out."""

    sample_rate = RATE
    frame_rate = 12.5

    def streaming_forever(self, _batch):
        pass

    def reset_streaming(self):
        pass

    def encode(self, chunk):
        assert chunk.shape == (1, 1, STEP), chunk.shape
        return tensor(np.zeros((1, 8, 1)))

    def decode(self, tokens):
        step = int(tokens[0, 0, 0])
        loud = 4 <= step < 29
        return tensor((tone(step, 440) if loud else np.zeros(STEP, np.float32))[None, None])


class FakeModel:
    dep_q = 8


PIECES = {4: "▁Hel", 5: "lo", 7: "▁from", 10: "▁Moshi", 11: ".", 14: "<0xE2>", 15: "<0x82>", 16: "<0xAC>"}


class FakeGen:
    """Says nothing in its first step, then a tone of two seconds with words."""

    def __init__(self, lm, **_):
        self.lm_model = lm
        self.step_index = 0

    def streaming_forever(self, _batch):
        pass

    def reset_streaming(self):
        self.step_index = 0

    def step(self, _codes):
        step = self.step_index
        self.step_index += 1
        if step == 0:
            return None
        tokens = np.full((1, 9, 1), step)
        tokens[0, 0, 0] = 1000 + step if step in PIECES else 3
        return tensor(tokens)


class FakeTokenizer:
    def id_to_piece(self, token):
        return PIECES[int(token) - 1000]


def run_server(port: int) -> None:
    class Checkpoint:
        model_type = "fake"
        lm_gen_config: dict = {}

        def get_mimi(self, **_):
            return FakeMimi()

        def get_moshi(self, **_):
            return FakeModel()

        def get_text_tokenizer(self):
            return FakeTokenizer()

        @staticmethod
        def from_hf_repo(*_, **__):
            return Checkpoint()

    cuda = types.SimpleNamespace(is_available=lambda: False, synchronize=lambda: None)
    module(
        "torch",
        Tensor=Tensor,
        device=str,
        float16="float16",
        bfloat16="bfloat16",
        float32="float32",
        cuda=cuda,
        backends=types.SimpleNamespace(cudnn=types.SimpleNamespace()),
        manual_seed=lambda _: None,
        no_grad=contextlib.nullcontext,
        zeros=lambda *shape, **_: tensor(np.zeros(shape)),
        from_numpy=tensor,
    )
    module("huggingface_hub", hf_hub_download=None)
    module("sentencepiece", SentencePieceProcessor=FakeTokenizer)
    vendor_package()
    loaders = types.SimpleNamespace(DEFAULT_REPO="fake", CheckpointInfo=Checkpoint)
    module("moshi.models", loaders=loaders, MimiModel=FakeMimi, LMModel=FakeModel, LMGen=FakeGen)
    module("moshi.run_inference", get_condition_tensors=lambda *_, **__: {})
    sys.argv = ["moshi.server", "--host", "127.0.0.1", "--port", str(port), "--static", "none", "--device", "cpu"]
    importlib.import_module("moshi.server")


def run_client(url: str, steps: int, out: str) -> None:
    heard: list = []
    done = threading.Event()

    class Stream:
        def __init__(self, callback, blocksize, **_):
            self.callback = callback
            self.blocksize = blocksize

        def __enter__(self):
            threading.Thread(target=self.run, daemon=True).start()

        def __exit__(self, *_):
            pass

    class InputStream(Stream):
        """A microphone: a tone, four times as fast as real time."""

        def run(self):
            for step in range(steps):
                self.callback(tone(step, 300)[:, None], self.blocksize, None, None)
                time.sleep(0.02)
            time.sleep(0.5)
            done.set()

    class OutputStream(Stream):
        def run(self):
            while not done.is_set():
                sound = np.zeros((self.blocksize, 1), np.float32)
                self.callback(sound, self.blocksize, None, None)
                heard.append(sound[:, 0])
                time.sleep(0.02)
            np.concatenate(heard).tofile(out)
            sys.stdout.flush()
            # The client has no end of its own.
            os._exit(0)

    module("sounddevice", InputStream=InputStream, OutputStream=OutputStream)
    vendor_package()
    client = importlib.import_module("moshi.client")
    sys.argv = ["moshi.client", "--url", url]
    client.main()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["server", "client"])
    parser.add_argument("--port", type=int, default=8998)
    parser.add_argument("--url")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--out")
    args = parser.parse_args()
    if args.what == "server":
        run_server(args.port)
    else:
        run_client(args.url, args.steps, args.out)


main()
