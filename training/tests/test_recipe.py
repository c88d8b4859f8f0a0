"""The recipe file: what it may hold, and what the ablations change."""
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
    ("[loss]\ntext = true", "text must be float, got True"),
    ("[dialogue]\nlate = 0.5", r"late must be list\[float\], got 0.5"),
    ("[dialogue.interrupts]\nstop = 0.5", "interrupts must add up to 1, got 1.25"),
    ("[lose]\ntext = 1", "expected the tables model, training, loss"),
])
def test_says_what_is_wrong_with_it(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        load(variant(tmp_path, text))


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
