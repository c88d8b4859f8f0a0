"""The backbone against transformers' implementation of the family, on a small random model with the same weights."""
import pytest
import torch

from microturn_training.model import Config, Duplex

transformers = pytest.importorskip("transformers", minversion="5.23", reason="needs transformers with inkling_mm_model")

# the reference has no global window: a session shorter than ours
CONFIG = Config(vocab_size=40, hidden_size=32, num_layers=2, global_layers=[1], num_heads=4, num_kv_heads=2, head_dim=8,
                sliding_window=18, global_extent=24, global_window=360, dense_width=64, num_experts=4, expert_width=16,
                patch_layers=[(1, 5, 128), (1, 2, 320), (1, 4, 4800), (2, 1, 32)])


@pytest.fixture(scope="module")
def both():
    torch.manual_seed(0)
    net = Duplex(CONFIG).eval()
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "sconv" in name:
                p.normal_(0, 0.2)
            elif name.endswith("norm.weight"):
                p.uniform_(0.7, 1.4)
        net.layers[1].mlp.gate.e_score_correction_bias.normal_(0, 0.1)
    text = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 8, "swa_num_attention_heads": 4, "swa_num_key_value_heads": 2, "swa_head_dim": 8,
            "sliding_window_size": 18, "rel_extent": 24, "layer_types": ["hybrid_sliding", "hybrid"],
            "mlp_layer_types": ["dense", "sparse"], "intermediate_size": 64, "moe_intermediate_size": 16, "n_routed_experts": 4,
            "num_experts_per_tok": 2, "n_shared_experts": 1, "route_scale": 3.0, "logits_mup_width_multiplier": 1.0, "pad_token_id": 0}
    config = transformers.InklingConfig(text_config=text, audio_config={"n_mel_bins": 80, "mel_vocab_size": 16},
                                        vision_config={"hidden_size": 64, "num_hidden_layers": 4})
    reference = transformers.InklingForConditionalGeneration._from_config(config, attn_implementation="eager").eval()
    reference.load_state_dict({k: v for k, v in net.state_dict().items() if not k.startswith("microturn.")}, strict=True)
    return net, reference


@torch.no_grad()
def test_text_logits_are_equal(both):
    net, reference = both
    ids = torch.randint(0, 40, (2, 72))
    x = net.model.language_model.embed_tokens(ids)
    for layer in net.layers:
        x = layer(x)
    ours = net.lm_head(net.model.language_model.norm(x))
    theirs = reference(input_ids=ids).logits
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


@torch.no_grad()
def test_audio_and_image_embeddings_are_equal(both):
    net, reference = both
    patches, levels = torch.randn(3, 2, 40, 40, 3), torch.randint(0, 16, (5, 80))
    assert torch.allclose(net.model.vision_tower(patches), reference.model.vision_tower(patches).pooler_output[:, 0], atol=1e-5)
    assert torch.allclose(net.model.audio_tower(levels), reference.model.audio_tower(levels).last_hidden_state.reshape(5, -1), atol=1e-5)
