"""The vocoder's arithmetic: training and session agree, nothing looks ahead, pitch and noise are what they claim."""

import numpy as np
import torch

from microturn_training import vocoder
from microturn_training.vocoder_data import PITCH_HOP, SAMPLE_RATE, pitch_track


def some_controls(frames, seed=0):
    raw = torch.randn(1, 2 * frames, vocoder.CONTROLS, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 0.3
    raw[..., 2:] -= 3
    return raw


def stream(raw, seed=1):
    synthesis = vocoder.Synthesis(seed)
    return np.concatenate([synthesis.push(c, True) for c in raw.numpy().reshape(-1, 2, vocoder.CONTROLS)])


def test_synthesis_for_training_equals_the_session_reference():
    raw = some_controls(20)
    white = torch.tensor(vocoder.white_noise(1, 0, 200 * 41))[None]
    points = vocoder.POINTS
    whole = vocoder.synthesise(
        vocoder.pitch_of(raw[..., 0]),
        torch.sigmoid(raw[..., 1]),
        raw[..., 2 : 2 + points],
        raw[..., 2 + points :],
        white,
        torch.zeros(1, 1),
        torch.ones(1, 40, dtype=torch.double),
    )[0].numpy()
    silent = 200 + vocoder.OFFSET - vocoder.FFT // 2  # samples from -400, where the stream begins, to the first piece
    np.testing.assert_allclose(np.pad(whole, (silent, 0))[:8000], stream(raw), atol=1e-10)
    assert np.abs(whole).max() > 0.05


def test_a_frame_changes_nothing_that_left_before_it():
    raw = some_controls(20)
    other = raw.clone()
    other[:, 24:] += 0.5
    a, b = stream(raw), stream(other)
    assert np.array_equal(a[: 12 * 400], b[: 12 * 400])
    assert not np.array_equal(a[12 * 400 : 13 * 400], b[12 * 400 : 13 * 400])


def test_the_network_is_causal_and_sees_its_context_only():
    network = vocoder.VocoderNetwork().eval()
    levels = torch.randint(0, 16, (1, 40, 80), generator=torch.Generator().manual_seed(1))
    other = levels.clone()
    other[:, 15] = 15 - other[:, 15]
    with torch.no_grad():
        changed = (network(levels) - network(other)).abs().reshape(40, -1).amax(1)
    assert torch.all(changed[:15] < 1e-6)
    assert changed[15] > 1e-4
    assert torch.all(changed[15 + vocoder.CONTEXT + 1 :] < 1e-6)


def test_exported_names_lead_back_to_the_same_network():
    network = vocoder.VocoderNetwork()
    weights = network.named_weights()
    assert weights["microturn.vocoder.in.weight"].shape == (128, 80)
    assert weights["microturn.vocoder.conv.3.weight"].shape == (128, 128, 5)
    assert weights["microturn.vocoder.out.bias"].shape == (264,)
    levels = torch.randint(0, 16, (1, 9, 80))
    with torch.no_grad():
        assert torch.equal(vocoder.VocoderNetwork.from_weights(weights)(levels), network(levels))


def test_noise_is_a_function_of_seed_and_place_with_unit_power():
    whole = vocoder.white_noise(5, 0, 20000)
    np.testing.assert_array_equal(vocoder.white_noise(5, 700, 300), whole[700:1000])
    assert abs(np.mean(whole**2) - 1) < 0.03 and abs(np.mean(whole)) < 0.03
    assert np.abs(np.correlate(whole, whole[100:-100], "valid")[[0, 50, 99]]).max() < 0.05 * len(whole)


def test_the_pitch_track_follows_a_glide_and_calls_noise_unvoiced():
    hertz = np.linspace(130, 220, SAMPLE_RATE)
    phase = np.cumsum(hertz / SAMPLE_RATE)
    voice = sum(np.sin(2 * np.pi * h * phase) / h for h in range(1, 20)) * 0.1
    track = pitch_track(voice)[5:-10]
    np.testing.assert_allclose(track, hertz[::PITCH_HOP][5 : 5 + len(track)], rtol=0.02)
    assert np.mean(pitch_track(np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE)) > 0) < 0.05


def test_no_controls_make_a_sample_above_full_scale_and_speech_is_left_alone():
    raw = some_controls(20)
    raw[..., 2:] = 5
    loud = stream(raw)
    assert 0.9 < np.abs(loud).max() <= 1
    quiet = np.linspace(-0.8, 0.8, 101)
    np.testing.assert_array_equal(vocoder.limit(quiet), quiet)
