"""The synthetic voices: which programs speak, under which licence, and which voices are never trained on.

Licences: espeak-ng is a GPL-3 program (only its audio is used, as training input); flite and festival voices are under the
permissive CMU / Edinburgh licence (samples may be shipped with the notice); all three are in Debian main. RHVoice is LGPL-2.1+ and
SVOX Pico Apache-2.0, both in Debian non-free because what their voices were trained from is not there; only their audio is used. Kokoro-82M and its
voices are Apache-2.0, from the package registries (kokoro.py).
Held-out voices are whole voices (or espeak timbres); `kal` is not among them because `kal16` is the same speaker.
"""
from __future__ import annotations

import random
from dataclasses import dataclass

ESPEAK_ACCENTS = ["en-us", "en-us", "en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc", "en-029",
                  "en-gb-x-gbclan"]
ESPEAK_HELD = ["f5", "m8", "klatt4", "Annie", "zac", "linda", "paul", "iven4"]
ESPEAK_TRAIN = ("adam Alex Alicia Andrea Andy antonio aunty belinda benjamin boris caleb david Denis Diogo ed edward "
                "edward2 Gene Gene2 Gustave Henrique Hugo iven iven2 iven3 Jacky john kaukovalta Lee marcelo Marco "
                "Mario max Michael michel miguel mike Nguyen pablo pedro quincy rob robert sandro shelby steph steph2 "
                "steph3 travis victor f1 f2 f3 f4 m1 m2 m3 m4 m5 m6 m7 klatt klatt2 klatt3 anika norbert").split()
FLITE_TRAIN, FLITE_HELD = ["awb", "kal16"], ["rms"]
FESTIVAL_TRAIN, FESTIVAL_HELD = ["kal_diphone", "cmu_us_slt_arctic_hts"], ["ked_diphone"]
# Kokoro's voices: the first letter is the language it was made for (a, b English), the second f or m. All can speak English.
KOKORO_HELD = ["af_nova", "am_liam", "bf_lily", "bm_lewis", "ff_siwis", "hm_omega"]
KOKORO_TRAIN = ("af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_river af_sarah af_sky am_adam am_echo am_eric "
                "am_fenrir am_michael am_onyx am_puck am_santa bf_alice bf_emma bf_isabella bm_daniel bm_fable bm_george ef_dora "
                "em_alex hf_alpha hf_beta hm_psi if_sara im_nicola jf_alpha jf_gongitsune jf_tebukuro jm_kumo pf_dora pm_alex "
                "zf_xiaobei zf_xiaoxiao zm_yunjian zm_yunxi").split()
# voices between two of them, so that there are more than the published ones; `between` makes as many as one likes
KOKORO_BETWEEN = ["+".join(random.Random(i).sample(KOKORO_TRAIN, 2)) for i in range(40)]
# RHVoice's English voices under its own licence; not `slt`, who is the assistant, nor those under CC BY-NC-ND
RHVOICE_TRAIN = ["alan", "bdl", "clb"]
PICO_TRAIN = ["en-US", "en-GB"]
ASSISTANT = "slt"  # flite


@dataclass(frozen=True)
class Voice:
    """One way of speaking: `engine` espeak | flite | festival | kokoro | rhvoice | pico | typed, its voice name, and its speaking style."""
    engine: str
    name: str
    speed: float = 1.0      # 1 = the voice's own; above 1 is faster
    pitch: int | None = None  # espeak 0..99, flite mean f0 in Hz, rhvoice and pico percent of the voice's; None = the voice's own

    @property
    def label(self) -> str:
        return f"{self.engine}:{self.name if self.engine == 'kokoro' else self.name.split('+')[-1]}"


def draw(rng: random.Random, engine: str, held: bool) -> Voice:
    """A random voice of one engine, with random speed and pitch."""
    if engine == "espeak":
        variant = rng.choice(ESPEAK_HELD if held else ESPEAK_TRAIN)
        return Voice(engine, f"{rng.choice(ESPEAK_ACCENTS)}+{variant}", rng.uniform(0.72, 1.2), rng.randint(20, 80))
    if engine == "flite":
        name = rng.choice(FLITE_HELD if held else FLITE_TRAIN)
        return Voice(engine, name, rng.uniform(0.8, 1.25), rng.randint(75, 190) if rng.random() < 0.6 else None)
    if engine == "kokoro":
        name = rng.choice(KOKORO_HELD if held else KOKORO_TRAIN + KOKORO_BETWEEN)
        return Voice(engine, name, rng.uniform(0.95, 1.35))
    if engine in ("rhvoice", "pico"):
        if held:
            raise ValueError(f"draw: no voice of {engine} is kept for evaluation")
        return Voice(engine, rng.choice(RHVOICE_TRAIN if engine == "rhvoice" else PICO_TRAIN), rng.uniform(0.75, 1.3), rng.randint(75, 130))
    name = rng.choice(FESTIVAL_HELD if held else FESTIVAL_TRAIN)
    return Voice(engine, name, rng.uniform(0.8, 1.25))


def between(rng: random.Random) -> Voice:
    """A natural voice that nobody has: the mean of two to four of the published ones, some of which may be the same."""
    return Voice("kokoro", "+".join(rng.choices(KOKORO_TRAIN, k=rng.randint(2, 4))), rng.uniform(0.9, 1.4))
