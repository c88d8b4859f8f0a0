"""The recipe file: what it may hold, and what the ablations change."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from microturn_training.model import Config, Duplex, MixtureOfExperts
from microturn_training.recipe import MINI, RECIPE, load

ABLATIONS = Path(__file__).parent.parent / "ablations"


def variant(folder: Path, text: str) -> Path:
    path = folder / "other.toml"
    path.write_text(f'base = "{MINI}"\n{text}\n')
    return path


def test_is_that_of_mini_unless_another_is_asked_for():
    assert RECIPE == load(MINI)


def test_another_recipe_holds_what_differs(tmp_path):
    other = load(variant(tmp_path, "[timing]\nreply_after = 120\n[dialogue.requests]\nsum = 1"))
    assert other.timing.reply_after == 120 and other.timing.heard_after == RECIPE.timing.heard_after
    assert other.dialogue.requests == RECIPE.dialogue.requests | {"sum": 1}
    assert other.model == RECIPE.model


@pytest.mark.parametrize("text, words", [
    ("[timing]\nreply_afer = 120", r"\[timing\] has unknown fields: reply_afer"),
    ("[timing]\nreply_after = 120.5", "reply_after must be int, got 120.5"),
    ("[timing]\ncount_pace = 830", "count_pace must be a multiple of 50 ms, got 830"),
    ("[loss]\ntext = true", "text must be float, got True"),
    ("[dialogue]\nlate = 0.5", r"late must be list\[float\], got 0.5"),
    ("[dialogue]\nlate = [1.5, -0.5]", "late must be shares that add up to 1"),
    ("[dialogue]\nturns = 300", "turns must be 10 to 200"),
    ("[decoding]\nstart_margin = -1", "start_margin must be 0 to 20, got -1"),
    ("[dialogue]\nglances = 0", "glances must be 1 or more"),
    ("[dialogue.interrupts]\nstop = 0.5", "interrupts must be shares that add up to 1"),
    ("[dialogue.requests]\nsums = 9", r"\[dialogue.requests\] must have back, bye.* got .*sums"),
    ("[dialogue.copies]\npico = 1.5", "copies.* must be whole numbers from 0"),
    ("[dialogue.copies]\nduck = 2", r"\[dialogue.copies\] must have .*pico"),
    ("[microphone]\nwarp = [0.86]", "warp must be the lowest and the highest value"),
    ("[microphone]\nsnr = [22, 3]", "snr must be the lowest and the highest value"),
    ("[microphone]\nmasked = 33", "masked must be a share, 0 to 1, got 33"),
    ("[microphone]\nquiet = 0.9\nfaint = 0.3", "quiet and faint must not be more than 1 together"),
    ("[lose]\ntext = 1", "unknown tables: lose"),
])
def test_says_what_is_wrong_with_it(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        load(variant(tmp_path, text))


def test_says_what_is_wrong_with_its_base(tmp_path):
    loop = tmp_path / "loop.toml"
    loop.write_text('base = "loop.toml"')
    with pytest.raises(ValueError, match="is its own base"):
        load(loop)
    with pytest.raises(ValueError, match="there is no such recipe; MICROTURN_RECIPE"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted(ABLATIONS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_ablation_is_a_recipe_and_differs(path):
    assert load(path) != load(MINI)


def test_the_environment_names_another(tmp_path):
    path = variant(tmp_path, "[timing]\nreply_after = 120")
    code = "from microturn_training.recipe import RECIPE; print(RECIPE.timing.reply_after)"
    for value, expected in ((str(path), "120"), ("", "200")):
        out = subprocess.run([sys.executable, "-c", code], env=os.environ | {"MICROTURN_RECIPE": value}, capture_output=True, text=True, check=True)
        assert out.stdout.strip() == expected


def test_says_what_is_missing(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text(MINI.read_text().replace("camera = 0.5\n", ""))
    with pytest.raises(ValueError, match=r"\[dialogue\] has missing fields: camera"):
        load(path)


def active(net: Duplex) -> int:
    """Weights that one position is multiplied with in the layers."""
    total = 0
    for layer in net.layers:
        moe = layer.mlp if isinstance(layer.mlp, MixtureOfExperts) else None
        idle = sum(p.numel() for p in moe.experts.parameters()) * (1 - moe.c.experts_per_token / moe.c.num_experts) if moe else 0
        total += sum(p.numel() for p in layer.parameters()) - int(idle)
    return total


def test_the_dense_ablation_has_the_active_size_of_mini():
    mixture, dense = (Duplex(Config(vocab_size=40, **load(path).model)) for path in (MINI, ABLATIONS / "dense.toml"))
    assert not any(isinstance(layer.mlp, MixtureOfExperts) for layer in dense.layers)
    assert abs(active(dense) / active(mixture) - 1) < 0.01
