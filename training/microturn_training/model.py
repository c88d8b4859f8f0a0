"""The duplex model of `docs/models.md` in PyTorch: the Inkling family's backbone plus the duplex heads.

Parameter names are those of transformers' `InklingForConditionalGeneration`, and `microturn.*` for what it does not have,
so `state_dict()` is the export format. Shape letters: B batch, N micro-turns, T positions, H hidden, D head dimension,
E experts. Two paths share all weights: `forward` sees a whole session (training), `step` a few positions with a cache.
"""
from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

import torch
import torch.nn as nn
import torch.nn.functional as F

BINS, LEVELS = 80, 16
SPEECH = 2 * BINS                 # levels that one output position yields
AUDIO_POSITIONS = OUTPUT_POSITIONS = 4
NONE, LISTEN, SPEAK, DELEGATE = range(4)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)   # published with CLIP, used by the family's image processor
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
MASKED = -30000.0
SLIDING_BLOCK, GLOBAL_BLOCK = 64, 144   # queries that attend together in training: widths that vector units and matmul kernels fill
ROW_BLOCK = 64   # rows of an expert's matmul in training come in multiples of this


@dataclass
class Config:
    vocab_size: int
    hidden_size: int = 256
    num_layers: int = 6
    global_layers: list[int] = field(default_factory=lambda: [2, 5])
    dense_layers: list[int] = field(default_factory=lambda: [0])
    num_heads: int = 4
    num_kv_heads: int = 2
    head_dim: int = 64
    rel_dim: int = 16
    sliding_window: int = 126      # positions; also the relative extent of sliding layers
    global_extent: int = 252
    global_window: int = 576
    sink_positions: int = 9
    dense_width: int = 512
    num_experts: int = 8
    experts_per_token: int = 2
    shared_experts: int = 1
    expert_width: int = 128
    route_scale: float = 3.0
    conv_kernel: int = 4
    text_slots: int = 0            # positions of a micro-turn for text that is typed or delivered
    norm_eps: float = 1e-6
    # (temporal fold, spatial fold, width) of each patch tower layer; the last width is the hidden size
    patch_layers: list[tuple[int, int, int]] = field(default_factory=lambda: [(1, 5, 32), (1, 2, 64), (1, 4, 128), (2, 1, 256)])

    def to_dict(self) -> dict:
        return asdict(self)

    @property
    def turn_positions(self) -> int:
        return self.text_slots + 1 + AUDIO_POSITIONS + OUTPUT_POSITIONS


class RmsNorm(nn.Module):
    def __init__(self, size: int, eps: float = 1e-6):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


class ShortConvolution(nn.Module):
    """Depthwise causal convolution over the last `kernel` positions, plus its input."""

    def __init__(self, size: int, kernel: int):
        super().__init__()
        self.conv1d = nn.Module()
        self.conv1d.weight = nn.Parameter(torch.zeros(size, 1, kernel))

    def forward(self, x, state: "LayerState | None" = None, name: str = ""):
        w = self.conv1d.weight[:, 0].float()
        k = w.shape[1]
        past = x.new_zeros(x.shape[0], k - 1, x.shape[2]) if state is None else state.past(name, x, k - 1)
        padded = torch.cat([past, x], 1)
        if state is not None:
            state.conv[name] = padded[:, -(k - 1):]
        t = x.shape[1]
        y = x.float()
        for i in range(k):
            y = y + padded[:, i:i + t].float() * w[:, i]
        return y.to(x.dtype)


class LayerState:
    """What one layer remembers in `step`: all keys and values so far, and the last inputs of its four convolutions."""

    def __init__(self):
        self.conv: dict[str, torch.Tensor] = {}
        self.keys = self.values = None

    def past(self, name: str, x, count: int):
        return self.conv.get(name, x.new_zeros(x.shape[0], count, x.shape[2]))


class RelativeLogits(nn.Module):
    def __init__(self, rel_dim: int, extent: int):
        super().__init__()
        self.proj = nn.Parameter(torch.empty(rel_dim, extent))


@torch.compiler.disable
def skewed(r, before: int, width: int, value: float):
    """Rows of relative logits, newest distance last, shifted so that row i starts at column i.

    r [..., rows, extent] -> [..., rows, width]: `value` `before` columns to the left of row 0 and to the right of every row.
    It is two copies of memory; a compiler that fuses it computes an index for every score instead."""
    rows, extent = r.shape[-2:]
    padded = F.pad(r, (before, width + 1 - before - extent), value=value)
    return padded.flatten(-2)[..., : rows * width].view(*r.shape[:-1], width)


class Attention(nn.Module):
    def __init__(self, c: Config, is_global: bool):
        super().__init__()
        self.c, self.is_global = c, is_global
        self.extent = c.global_extent if is_global else c.sliding_window
        h, q, kv = c.hidden_size, c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(h, n, bias=False) for n in (q, kv, kv))
        self.r_proj = nn.Linear(h, c.num_heads * c.rel_dim, bias=False)
        self.o_proj = nn.Linear(q, h, bias=False)
        self.k_sconv, self.v_sconv = ShortConvolution(kv, c.conv_kernel), ShortConvolution(kv, c.conv_kernel)
        self.q_norm, self.k_norm = RmsNorm(c.head_dim, c.norm_eps), RmsNorm(c.head_dim, c.norm_eps)
        self.rel_logits_proj = RelativeLogits(c.rel_dim, self.extent)

    def project(self, x, state=None):
        """Query [B, heads, T, D] (scaled by 1/D), key and value [B, kv, T, D], relative logits [B, heads, T, extent],
        by distance with a cache, by distance backwards without one."""
        c, (b, t, _) = self.c, x.shape
        q = self.q_norm(self.q_proj(x).view(b, t, c.num_heads, c.head_dim)).transpose(1, 2) * (1 / c.head_dim)
        k = self.k_sconv(self.k_proj(x), state, "k").view(b, t, c.num_kv_heads, c.head_dim)
        v = self.v_sconv(self.v_proj(x), state, "v").view(b, t, c.num_kv_heads, c.head_dim)
        table = self.rel_logits_proj.proj if state is not None else self.rel_logits_proj.proj.flip(-1)
        r = self.r_proj(x).view(b, t, c.num_heads, c.rel_dim) @ table
        return q, self.k_norm(k).transpose(1, 2), v.transpose(1, 2), r.transpose(1, 2)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v, r = self.project(x)
        y = self.whole_global(q, k, v, r) if self.is_global else self.whole_sliding(q, k, v, r)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))

    def attend(self, q, k, v, bias):
        """Grouped-query attention; q [..., heads, t, D], k and v [..., kv, s, D], bias [..., heads, t, s]."""
        g = self.c.num_heads // self.c.num_kv_heads
        *lead, heads, t, d = q.shape
        kv, s = k.shape[-3], k.shape[-2]
        scores = (q.reshape(*lead, kv, g * t, d) @ k.transpose(-1, -2)).view(*lead, heads, t, s)
        p = (scores + bias).softmax(-1).to(v.dtype)
        return (p.view(*lead, kv, g * t, s) @ v).view(*lead, heads, t, d)

    def whole_sliding(self, q, k, v, r):
        """Blocks of queries attend to themselves and to whole blocks before; the relative logits are skewed into place."""
        extent, block = self.extent, SLIDING_BLOCK
        before = -(-(extent - 1) // block) * block
        width = before + block
        n = -(-q.shape[2] // block)

        def blocks(z, before=0):
            z = F.pad(z, (0, 0, before, n * block - z.shape[2]))
            return z.unfold(2, block + before, block).permute(0, 2, 1, 4, 3)   # [B, n, heads, block (+ before), D]
        t, q, r = q.shape[2], blocks(q), blocks(r)
        k, v = blocks(k, before), blocks(v, before)
        # row i of the block holds distance d at key column before + i - d
        bias = skewed(r, before - extent + 1, width, MASKED)
        first = torch.arange(n, device=q.device)[:, None] * block - before + torch.arange(width, device=q.device)
        start = torch.zeros(n, 1, 1, width, dtype=bias.dtype, device=q.device).masked_fill_((first < 0)[:, None, None], MASKED)
        y = self.attend(q, k, v, bias + start)                          # [B, n, heads, block, D]
        return y.transpose(1, 2).flatten(2, 3)[:, :, :t]

    def whole_global(self, q, k, v, r):
        """Blocks of queries over all keys before them, with the global window and the sinks."""
        c, e, out, a = self.c, self.extent, [], 0
        for q_block, r_block in zip(q.split(GLOBAL_BLOCK, 2), r.split(GLOBAL_BLOCK, 2)):
            z = a + q_block.shape[2]
            rows = torch.arange(a, z, device=q.device)[:, None]
            distance = rows - torch.arange(z, device=q.device)
            hidden = (distance < 0) | ((distance >= c.global_window) & (torch.arange(z, device=q.device) >= c.sink_positions))
            # row i (from a) holds distance d at key column a + i - d
            bias = skewed(r_block, a, z + e - 1, 0.0)[..., e - 1:]
            mask = torch.zeros(hidden.shape, dtype=bias.dtype, device=q.device).masked_fill_(hidden, MASKED)
            out.append(self.attend(q_block, k[:, :, :z], v[:, :, :z], bias + mask))
            a = z
        return torch.cat(out, 2)

    def step(self, x, state: LayerState):
        """The same for the next positions of a session, by the plain definition."""
        c, (b, t, _) = self.c, x.shape
        q, k, v, r = self.project(x, state)
        state.keys = k if state.keys is None else torch.cat([state.keys, k], 2)
        state.values = v if state.values is None else torch.cat([state.values, v], 2)
        total = state.keys.shape[2]
        first = 0 if self.is_global else max(0, total - t - self.extent)
        rows = torch.arange(total - t, total, device=x.device)[:, None]
        columns = torch.arange(first, total, device=x.device)
        distance = rows - columns
        window = c.global_window if self.is_global else c.sliding_window
        hidden = (distance < 0) | ((distance >= window) & ((columns >= c.sink_positions) if self.is_global else True))
        index = distance.clamp(0, self.extent - 1).expand(b, c.num_heads, -1, -1)
        bias = r.gather(-1, index).masked_fill((distance < 0) | (distance >= self.extent), 0).masked_fill(hidden, MASKED)
        y = self.attend(q, state.keys[:, :, first:], state.values[:, :, first:], bias)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class Mlp(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.dense_width, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.dense_width, bias=False)
        self.down_proj = nn.Linear(c.dense_width, c.hidden_size, bias=False)
        self.global_scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x)) * self.global_scale


class Router(nn.Module):
    """Chooses experts and their weights in float32. `load` is the share of tokens of the last call, for balancing."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.weight = nn.Parameter(torch.empty(c.num_experts + c.shared_experts, c.hidden_size))
        self.global_scale = nn.Parameter(torch.ones(1))
        self.register_buffer("e_score_correction_bias", torch.zeros(c.num_experts))
        self.load: torch.Tensor | None = None

    def forward(self, x):
        """x [tokens, H] -> chosen experts [tokens, K], their weights [tokens, K], shared weights [tokens, S]."""
        c = self.c
        with torch.autocast(x.device.type, enabled=False):
            logits = x.float() @ self.weight.float().T
            routed, shared = logits[:, : c.num_experts], logits[:, c.num_experts:]
            chosen = (routed.sigmoid() + self.e_score_correction_bias).topk(c.experts_per_token, -1).indices
            log_p = F.logsigmoid(torch.cat([routed.gather(-1, chosen), shared], -1))
            weights = log_p.softmax(-1) * (c.route_scale * self.global_scale)
        self.load = torch.bincount(chosen.flatten(), minlength=c.num_experts).float() / chosen.numel()
        return chosen, weights[:, : c.experts_per_token], weights[:, c.experts_per_token:]

    @torch.no_grad()
    def balance(self, rate: float = 2e-3) -> None:
        """Loss-free balancing (Wang et al. 2024, arXiv:2408.15664): crowded experts are chosen a little less."""
        self.e_score_correction_bias += rate * torch.sign(self.load.mean() - self.load)


class Experts(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(c.num_experts, 2 * c.expert_width, c.hidden_size))
        self.down_proj = nn.Parameter(torch.empty(c.num_experts, c.hidden_size, c.expert_width))


class SharedExperts(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.gate_proj = nn.Parameter(torch.empty(c.shared_experts, c.expert_width, c.hidden_size))
        self.up_proj = nn.Parameter(torch.empty(c.shared_experts, c.expert_width, c.hidden_size))
        self.down_proj = nn.Parameter(torch.empty(c.shared_experts, c.hidden_size, c.expert_width))


def swiglu(inner):
    """[..., 2 W] -> [..., W]."""
    gate, up = inner.float().chunk(2, -1)
    return (F.silu(gate) * up).to(inner.dtype)


def swiglu_gradient(inner, gradient):
    """Gradient of `swiglu`'s argument from that of its result."""
    gate, up = inner.float().chunk(2, -1)
    gradient, s = gradient.float(), gate.sigmoid()
    return torch.cat([gradient * up * (s + gate * s * (1 - s)), gradient * gate * s], -1).to(inner.dtype)


def combine(y, weight):
    """Weighted sum over the experts of a token: y [tokens, K, H], weight [tokens, K] -> [tokens, H]."""
    return (y.float() * weight[..., None]).sum(1).to(y.dtype)


def combine_gradient(y, weight, gradient):
    """Gradients of `combine`'s arguments from that of its result."""
    gradient = gradient.float()[:, None]
    return (gradient * weight[..., None]).to(y.dtype), (gradient * y.float()).sum(-1)


class Kernels:
    """What lies between the matmuls of `routed`; compiled for training."""

    def __init__(self, wrap=lambda f: f):
        self.swiglu, self.swiglu_gradient, self.combine, self.combine_gradient = map(wrap, (swiglu, swiglu_gradient, combine, combine_gradient))


class Routed(torch.autograd.Function):
    """Each token's experts, weighted; the same as `routed_plainly`.

    (token, expert) pairs lie sorted by expert in buffers of a fixed size, and every matmul reads and writes a stretch of them, in
    both directions: without that, a third of a training step is copies, fills and sums of slices. Each expert's rows are
    padded to whole blocks: the matmul library compiles a kernel for every shape it meets."""

    @staticmethod
    def forward(ctx, x, chosen, weight, gate_up, down, kernels):
        experts, k = len(gate_up), chosen.shape[1]
        pairs = chosen.flatten()
        order = pairs.argsort(stable=True)
        counts = torch.bincount(pairs, minlength=experts)
        padded = (counts + ROW_BLOCK - 1) // ROW_BLOCK * ROW_BLOCK
        shift = (padded.cumsum(0) - padded) - (counts.cumsum(0) - counts)
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=x.device) + shift[pairs[order]]
        ends = padded.cumsum(0).tolist()
        spans = [slice(a, z) for a, z in zip([0, *ends[:-1]], ends)]
        size = (len(pairs) + experts * (ROW_BLOCK - 1) + ROW_BLOCK - 1) // ROW_BLOCK * ROW_BLOCK
        picked = x.new_zeros(size, x.shape[1]).index_copy_(0, place, x.repeat_interleave(k, 0))
        inner, out = x.new_empty(size, gate_up.shape[1]), x.new_empty(size, x.shape[1])
        for span, w in zip(spans, gate_up):
            torch.mm(picked[span], w.T, out=inner[span])
        activated = kernels.swiglu(inner)
        for span, w in zip(spans, down):
            torch.mm(activated[span], w.T, out=out[span])
        y = out.index_select(0, place).view(len(x), k, -1)
        ctx.save_for_backward(picked, inner, activated, y, place, weight, gate_up, down)
        ctx.spans, ctx.kernels = spans, kernels
        return kernels.combine(y, weight)

    @staticmethod
    def backward(ctx, gradient):
        picked, inner, activated, y, place, weight, gate_up, down = ctx.saved_tensors
        kernels, spans = ctx.kernels, ctx.spans
        d_y, d_weight = kernels.combine_gradient(y, weight, gradient)
        d_out = torch.zeros_like(picked).index_copy_(0, place, d_y.flatten(0, 1))
        d_activated, d_down = torch.empty_like(activated), torch.empty_like(down)
        for span, w, d_w in zip(spans, down, d_down):
            torch.mm(d_out[span], w, out=d_activated[span])
            torch.mm(d_out[span].T, activated[span], out=d_w)
        d_inner = kernels.swiglu_gradient(inner, d_activated)
        d_picked, d_gate_up = torch.empty_like(picked), torch.empty_like(gate_up)
        for span, w, d_w in zip(spans, gate_up, d_gate_up):
            torch.mm(d_inner[span], w, out=d_picked[span])
            torch.mm(d_inner[span].T, picked[span], out=d_w)
        return d_picked.index_select(0, place).view(*y.shape).sum(1), None, d_weight, d_gate_up, d_down, None


def routed_plainly(x, chosen, weight, gate_up, down):
    """The definition of `Routed`: x [tokens, H], chosen and weight [tokens, K], gate_up [E, 2 W, H], down [E, H, W] -> [tokens, H]."""
    y = torch.stack([torch.stack([down[e] @ swiglu(gate_up[e] @ row) for e in experts]) for row, experts in zip(x, chosen)])
    return combine(y, weight)


class MixtureOfExperts(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.gate, self.experts, self.shared_experts = Router(c), Experts(c), SharedExperts(c)
        self.kernels = Kernels()

    def forward(self, x):
        shape, c = x.shape, self.c
        x = x.reshape(-1, shape[-1])
        chosen, weight, shared_weight = self.gate(x)
        low = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
        x = x.to(low)
        y = Routed.apply(x, chosen, weight, self.experts.gate_up_proj.to(low), self.experts.down_proj.to(low), self.kernels)
        return self.shared_part(x, y, shared_weight).view(shape)

    def shared_part(self, x, y, weight):
        """Adds the shared experts to what the others yielded."""
        p = self.shared_experts
        for s in range(self.c.shared_experts):
            inner = F.silu(F.linear(x, p.gate_proj[s])) * F.linear(x, p.up_proj[s]) * weight[:, s:s + 1].to(x.dtype)
            y = y + F.linear(inner, p.down_proj[s])
        return y

    def compile_parts(self) -> None:
        self.kernels = Kernels(lambda f: torch.compile(f, dynamic=False))
        self.shared_part = torch.compile(self.shared_part, dynamic=False)


class Layer(nn.Module):
    def __init__(self, c: Config, index: int):
        super().__init__()
        h = c.hidden_size
        self.self_attn = Attention(c, index in c.global_layers)
        self.mlp = Mlp(c) if index in c.dense_layers else MixtureOfExperts(c)
        self.input_layernorm, self.post_attention_layernorm = RmsNorm(h, c.norm_eps), RmsNorm(h, c.norm_eps)
        self.attn_sconv, self.mlp_sconv = ShortConvolution(h, c.conv_kernel), ShortConvolution(h, c.conv_kernel)

    def attention_part(self, x, state: LayerState | None = None):
        """Residual stream after attention, and the normed input of the MLP."""
        y = self.input_layernorm(x)
        y = self.self_attn(y) if state is None else self.self_attn.step(y, state)
        x = x + self.attn_sconv(y, state, "attention")
        return x, self.post_attention_layernorm(x)

    def mlp_part(self, x, y, state: LayerState | None = None):
        return x + self.mlp_sconv(y, state, "mlp")

    def forward(self, x, state: LayerState | None = None):
        x, y = self.attention_part(x, state)
        return self.mlp_part(x, self.mlp(y), state)

    def compile_parts(self) -> None:
        """Fuses what surrounds the matmuls (training only); the sizes of experts' matmuls change with every batch and stay eager."""
        if isinstance(self.mlp, MixtureOfExperts):
            self.mlp.compile_parts()
        self.attention_part = torch.compile(self.attention_part, dynamic=False)
        self.mlp_part = torch.compile(self.mlp_part, dynamic=False)


class NormedEmbedding(nn.Module):
    def __init__(self, rows: int, size: int, eps: float):
        super().__init__()
        self.weight, self.embed_norm = nn.Parameter(torch.empty(rows, size)), RmsNorm(size, eps)

    def forward(self, ids):
        return self.embed_norm(F.embedding(ids, self.weight))


def bag(levels, table):
    """Sum of table rows `16 * channel + level` over the channels; levels [..., channels] -> [..., H].

    As a product with a one-hot matrix, which is the fast form in training."""
    low = torch.get_autocast_dtype(table.device.type) if torch.is_autocast_enabled(table.device.type) else table.dtype
    hot = (levels.unsqueeze(-1) == torch.arange(LEVELS, dtype=levels.dtype, device=levels.device)).to(low)
    return hot.flatten(-2) @ table.to(low)


class AudioTower(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.embed_audio_tokens = nn.Module()
        self.embed_audio_tokens.embed_audio_tokens = nn.Module()
        self.embed_audio_tokens.embed_audio_tokens.weight = nn.Parameter(torch.empty(BINS * LEVELS, c.hidden_size))
        self.norm = RmsNorm(c.hidden_size, c.norm_eps)

    def forward(self, levels):
        return self.norm(bag(levels, self.embed_audio_tokens.embed_audio_tokens.weight).float())


class PatchLayer(nn.Module):
    def __init__(self, time: int, space: int, inner: int, outer: int, last: bool):
        super().__init__()
        self.time, self.space = time, space
        self.projection = nn.Linear(inner, outer, bias=False)
        self.layer_norm = None if last else RmsNorm(outer)

    def forward(self, x):
        b, t, h, w, c = x.shape
        f, s = self.time, self.space
        x = x.reshape(b, t // f, f, h // s, s, w // s, s, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
        x = self.projection(x.reshape(b, t // f, h // s, w // s, f * s * s * c))
        return x if self.layer_norm is None else F.gelu(self.layer_norm(x))


class VisionTower(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        layers, inner = [], 3
        for i, (time, space, width) in enumerate(c.patch_layers):
            layers.append(PatchLayer(time, space, inner * time * space * space, width, i == len(c.patch_layers) - 1))
            inner = width
        self.encoder_layers = nn.ModuleList(layers)
        self.final_norm = RmsNorm(c.hidden_size)

    def forward(self, patches):
        """patches [n, 2, 40, 40, 3], normalised -> [n, H]."""
        for layer in self.encoder_layers:
            patches = layer(patches)
        return self.final_norm(patches.flatten(1).float())


def patches_of(images):
    """uint8 images `[..., 2, 40, 39, 3]` -> normalised patches `[..., 2, 40, 40, 3]`; the added column is raw -1."""
    x = F.pad(images.float(), (0, 0, 0, 1), value=-1.0) / 255
    return (x - x.new_tensor(CLIP_MEAN)) / x.new_tensor(CLIP_STD)


class Backbone(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.language_model = nn.Module()
        self.language_model.embed_tokens = NormedEmbedding(c.vocab_size, c.hidden_size, c.norm_eps)
        self.language_model.layers = nn.ModuleList(Layer(c, i) for i in range(c.num_layers))
        self.language_model.norm = RmsNorm(c.hidden_size, c.norm_eps)
        self.audio_tower, self.vision_tower = AudioTower(c), VisionTower(c)


class Table(nn.Module):
    def __init__(self, rows: int, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, size))


class DuplexParts(nn.Module):
    """What Inkling does not have: the output positions' input and their heads."""

    def __init__(self, c: Config):
        super().__init__()
        h = c.hidden_size
        self.heard_table, self.control_table = Table(c.vocab_size, h), Table(4, h)
        self.speech_table = Table(SPEECH * LEVELS, h)
        self.output_norm = RmsNorm(h, c.norm_eps)
        self.heard_head, self.control_head = nn.Linear(h, c.vocab_size, bias=False), nn.Linear(h, 4, bias=False)
        self.speech_head = nn.Sequential(nn.Linear(h, h), nn.GELU(), nn.Linear(h, SPEECH * LEVELS))


class Duplex(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.model, self.microturn = Backbone(c), DuplexParts(c)
        self.lm_head = nn.Linear(c.hidden_size, c.vocab_size, bias=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        c = self.c
        for name, p in self.named_parameters():
            if "sconv" in name or name.endswith(("norm.weight", "bias", "global_scale")):
                continue
            std = 0.02 if "head" in name or "gate.weight" in name else 0.05
            if name.endswith(("o_proj.weight", "down_proj.weight", "down_proj")):
                std /= math.sqrt(2 * c.num_layers)
            nn.init.normal_(p, std=0.1 if name.endswith("rel_logits_proj.proj") else std)
        for layer in self.layers:  # scores are scaled by 1/D of unit vectors: without this they start out flat
            for n in (layer.self_attn.q_norm, layer.self_attn.k_norm):
                n.weight.fill_(math.sqrt(math.sqrt(c.head_dim)))
        # levels are ordered: start with rows that are linear in the level, so that neighbours begin as neighbours
        level = torch.arange(LEVELS, dtype=torch.float32)[None, :, None]
        audio = self.model.audio_tower.embed_audio_tokens.embed_audio_tokens.weight
        audio += ((level - 5) / 4 * torch.randn(BINS, 1, c.hidden_size) * 0.1).flatten(0, 1)
        speech = self.microturn.speech_table.weight
        speech.mul_(0.2).add_((level / 4.6 * torch.randn(SPEECH, 1, c.hidden_size) * 0.03).flatten(0, 1))
        for table in (self.model.language_model.embed_tokens.weight, self.microturn.heard_table.weight, self.microturn.control_table.weight):
            table.mul_(10)

    @property
    def layers(self):
        return self.model.language_model.layers

    def output_input(self, text, heard, control, speech):
        """Input of output positions from what the position before them yielded; ids [...], speech [..., 160]."""
        p = self.microturn
        live = speech.amax(-1) > 0
        sound = bag(torch.cat([speech[live], speech.new_zeros(1, SPEECH)]), p.speech_table.weight)  # silence once
        index = torch.full(live.shape, len(sound) - 1, device=speech.device)
        index[live] = torch.arange(len(sound) - 1, device=speech.device)
        x = (F.embedding(text, self.model.language_model.embed_tokens.weight) + F.embedding(heard, p.heard_table.weight)
             + F.embedding(control, p.control_table.weight) + sound[index].float())
        return p.output_norm(x)

    def patch_input(self, batch: int, turns: int, camera, images):
        """Patch slots [B, N, H]: of `images` (only the sessions with a camera), else the embedding of token 0."""
        empty = self.model.language_model.embed_tokens(torch.zeros(1, dtype=torch.long, device=self.lm_head.weight.device))
        x = empty.expand(batch, turns, -1)
        if len(images):
            seen = self.model.vision_tower(patches_of(images.flatten(0, 1))).view(len(images), turns, -1)
            x = x.clone()
            x[camera] = seen.to(x.dtype)
        return x

    def told_input(self, batch: int, turns: int, told):
        """Text slots [B, N, text slots, H] of token ids `told` [B, N, text slots]; empty ones hold token 0, and so do all if it is None."""
        if told is None:
            told = torch.zeros(batch, turns, self.c.text_slots, dtype=torch.long, device=self.lm_head.weight.device)
        return self.model.language_model.embed_tokens(told)

    def forward(self, audio, camera, images, text, heard, control, speech, told=None):
        """Hidden states at the audio and at the output positions, each [B, N * 4, H].

        audio [B, N, 4, 80]; text, heard, control [B, N * 4] and speech [B, N * 4, 160] are the *inputs* of the output
        positions, i.e. what the position before yielded; told [B, N, text slots]: what is typed or delivered, 0 where nothing is."""
        b, n = audio.shape[:2]
        x = torch.cat([self.told_input(b, n, told), self.patch_input(b, n, camera, images).unsqueeze(2), self.model.audio_tower(audio),
                       self.output_input(text, heard, control, speech).view(b, n, OUTPUT_POSITIONS, -1)], 2)
        x = x.flatten(1, 2)
        for layer in self.layers:
            x = layer(x)
        x = self.model.language_model.norm(x).view(b, n, self.c.turn_positions, -1)
        return x[:, :, -OUTPUT_POSITIONS - AUDIO_POSITIONS:-OUTPUT_POSITIONS].flatten(1, 2), x[:, :, -OUTPUT_POSITIONS:].flatten(1, 2)

    def step(self, x, state: list[LayerState]):
        """Hidden states of the next positions x [B, t, H] of a session."""
        for layer, s in zip(self.layers, state):
            x = layer(x, s)
        return self.model.language_model.norm(x)

    def heads(self, h):
        """Logits of text [..., V], heard [..., V], control [..., 4]."""
        return self.lm_head(h), self.microturn.heard_head(h), self.microturn.control_head(h)

    def speech_logits(self, h):
        """Logits of the speech levels, [..., 160, 16]."""
        return self.microturn.speech_head(h).unflatten(-1, (SPEECH, LEVELS))
