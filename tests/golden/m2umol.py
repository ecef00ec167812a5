# SPDX-License-Identifier: Apache-2.0
"""M2UMol written out as plain functions of a dictionary of weights, for any floating-point type.

This is the reference that the golden numbers beside it come from: it follows the published
equations, molecule by molecule and without any graph library, and is written for being read, not
for speed. Weights carry the names of the published implementation, so that a published file can
be checked with it.
"""
import math

import torch

EPSILON = 1e-5
MOMENTUM = 0.1
MODALITIES = ("3d", "text", "bio")
TEMPERATURES = (0.2, 1.0)
# Roots of the spherical Bessel functions j_0 and j_1 (of sin x and of tan x - x).
ROOTS = ((math.pi, 2 * math.pi, 3 * math.pi), (4.493409457909064, 7.725251836937707, 10.904121659428899))


# ------------------------------------------------------------------------------ building blocks
def linear(w, name, x):
    y = x @ w[name + ".weight"].T
    return y + w[name + ".bias"] if name + ".bias" in w else y


def silu(x):
    return x * torch.sigmoid(x)


def layer_norm(w, name, x):
    centred = x - x.mean(1, keepdim=True)
    variance = (centred**2).mean(1, keepdim=True)
    return centred / (variance + EPSILON).sqrt() * w[name + ".weight"] + w[name + ".bias"]


def batch_norm(w, name, x, running):
    """`running` is None: the recorded statistics; else those of x, which also move `running`."""
    mean, variance = w[name + ".running_mean"], w[name + ".running_var"]
    if running is not None:
        mean, variance = x.mean(0), x.var(0, unbiased=False)
        batch = {"running_mean": mean, "running_var": x.var(0, unbiased=True)}
        for key, value in batch.items():
            old = running.get(f"{name}.{key}", w[f"{name}.{key}"])
            running[f"{name}.{key}"] = (1 - MOMENTUM) * old + MOMENTUM * value.detach()
    return (x - mean) / (variance + EPSILON).sqrt() * w[name + ".weight"] + w[name + ".bias"]


def sum_rows(x, rows, count):
    return x.new_zeros(count, x.shape[1]).index_add(0, rows, x)


def attention(w, name, queries, keys, heads):
    """Multi-head attention of [q, d] on [k, d]: the result and the weights averaged over heads."""
    matrices, biases = w[name + ".in_proj_weight"].chunk(3), w[name + ".in_proj_bias"].chunk(3)
    q, k, v = (x @ m.T + b for x, m, b in zip((queries, keys, keys), matrices, biases))
    width = q.shape[1] // heads
    out, mean = [], 0
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        weights = torch.softmax(q[:, part] @ k[:, part].T / math.sqrt(width), 1)
        out.append(weights @ v[:, part])
        mean = mean + weights / heads
    return linear(w, name + ".out_proj", torch.cat(out, 1)), mean


# ------------------------------------------------------------------------------ the encoders
def gps_layer(w, name, x, bonds, edge_index, molecules, heads, running):
    """GINE and attention side by side, each with its residual and norm, then a two-layer network."""
    source, target = edge_index
    messages = torch.relu(x[source] + bonds)
    local = (1 + w[name + ".conv.eps"]) * x + sum_rows(messages, target, len(x))
    local = linear(w, name + ".conv.nn.2", torch.relu(linear(w, name + ".conv.nn.0", local)))
    whole = torch.zeros_like(x)
    maps = x.new_zeros(len(x), int(molecules.bincount().max()))
    for m in range(int(molecules.max()) + 1):
        rows = (molecules == m).nonzero().flatten()
        y, weights = attention(w, name + ".attn", x[rows], x[rows], heads)
        whole = whole.index_copy(0, rows, y)
        maps[rows, : len(rows)] = weights.detach()
    h = batch_norm(w, name + ".norm1.module", local + x, running)
    h = h + batch_norm(w, name + ".norm2.module", whole + x, running)
    y = linear(w, name + ".mlp.3", torch.relu(linear(w, name + ".mlp.0", h)))
    return batch_norm(w, name + ".norm3.module", h + y, running), maps


def table_sum(w, name, codes):
    return sum(w[f"{name}.{c}.weight"][codes[:, c]] for c in range(codes.shape[1]))


def encode_2d(w, batch, dims, running, one_hot=False):
    """The pooled 2D vectors [molecules, channels] and what the layers gave on the way."""
    if one_hot:
        atoms = linear(w, "finetune.linx", batch["x_onehot"])
        bonds = linear(w, "finetune.linedgea", batch["edge_onehot"])
    else:
        atoms = table_sum(w, "linx.atom_embedding_list", batch["x"])
        bonds = table_sum(w, "linedgea.bond_embedding_list", batch["edge_attr"])
    walk = linear(w, "pe_lin", batch_norm(w, "pe_norm", batch["rwpe"], running))
    x = torch.cat((atoms, walk), 1)
    seen = {"gps_in": x}
    for k in range(dims["layers"]):
        x, maps = gps_layer(w, f"encoder2D.{k}", x, bonds, batch["edge_index"], batch["batch"], dims["heads"], running)
        seen[f"gps{k}.out"], seen[f"gps{k}.attn"] = x, maps
    seen["pooled2d"] = sum_rows(x, batch["batch"], int(batch["batch"].max()) + 1)
    return seen["pooled2d"], seen


def graph_norm(w, name, x, molecules):
    counts = molecules.bincount().to(x.dtype)[:, None]
    mean = sum_rows(x, molecules, len(counts)) / counts
    x = x - mean[molecules] * w[name + ".mean_scale"]
    variance = sum_rows(x**2, molecules, len(counts)) / counts
    return x / (variance + EPSILON).sqrt()[molecules] * w[name + ".weight"] + w[name + ".bias"]


def interaction(w, name, x, features, edge_index, molecules):
    source, target = edge_index
    x = silu(linear(w, name + ".lin", x))
    paths = []
    for c, f in zip("12", features):
        gate = linear(w, f"{name}.lin_feature{c}.lin2", linear(w, f"{name}.lin_feature{c}.lin1", f))
        gathered = sum_rows(gate * x[source], target, len(x))
        y = linear(w, f"{name}.conv{c}.lin_rel", gathered) + linear(w, f"{name}.conv{c}.lin_root", x)
        paths.append(silu(linear(w, f"{name}.lin{c}", y)))
    h = linear(w, name + ".lin_cat", torch.cat(paths, 1)) + x
    for k in range(3):
        h = h + silu(linear(w, f"{name}.lins.{k}", h))
    return linear(w, name + ".final", graph_norm(w, name + ".norm", h, molecules))


def comenet(w, prefix, z, features, edge_index, molecules):
    """[atoms, out] before the readout and [molecules, out] after it, from recorded features."""
    w = {k[len(prefix):]: v for k, v in w.items() if k.startswith(prefix)}
    blocks = sum(k.startswith("interaction_blocks.") and k.endswith(".final.bias") for k in w)
    x = silu(w["emb.emb.weight"][z])
    for b in range(blocks):
        x = interaction(w, f"interaction_blocks.{b}", x, features, edge_index, molecules)
    for k in range(3):
        x = silu(linear(w, f"lins.{k}", x))
    atoms = linear(w, "lin_out", x)
    return atoms, sum_rows(atoms, molecules, int(molecules.max()) + 1)


# ------------------------------------------------------------------------------ the geometry
def two_nearest(distance, ends, atoms):
    """For each atom the shortest and the second-shortest of the edges that have it in `ends` (the
    same edge twice where there is only one)."""
    first, second = [0] * atoms, [0] * atoms
    for a in range(atoms):
        edges = (ends == a).nonzero().flatten()
        if len(edges):
            order = edges[torch.argsort(distance[edges], stable=True)]
            first[a], second[a] = int(order[0]), int(order[min(1, len(order) - 1)])
    return torch.tensor(first), torch.tensor(second)


def geometry(position, edge_index, cutoff):
    """The published 12 (distance with theta and phi) and 6 (distance with tau) numbers per edge.

    Negative angles get +pi, as published: the values jump there, see stable_edges().
    """
    j, i = edge_index
    v = position[j] - position[i]
    d = v.norm(dim=1)
    in1, in2 = two_nearest(d, i, len(position))
    out1, out2 = two_nearest(d, j, len(position))
    at_i = torch.where(j[in1[i]] == j, in2[i], in1[i])   # an edge into i that does not come from j
    at_j = torch.where(i[out1[j]] == i, out2[j], out1[j])  # an edge out of j that does not go to i

    def angle(cosine, sine):
        t = torch.atan2(sine, cosine)
        return torch.where(t < 0, t + math.pi, t)

    def torsion(p, q):
        return angle((p * q).sum(1), (torch.linalg.cross(p, q) * v).sum(1) / d)

    near, next_near = v[in1[i]], v[in2[i]]
    plane = torch.linalg.cross(-v, near)
    theta = angle(-(v * near).sum(1), plane.norm(dim=1))
    phi = torsion(plane, torch.linalg.cross(-v, next_near))
    tau = torsion(torch.linalg.cross(v, v[at_j]), torch.linalg.cross(v, v[at_i]))

    r = (d / cutoff)[:, None]
    z0, z1 = (torch.tensor(z, dtype=position.dtype) for z in ROOTS)
    norm0 = math.sqrt(2) * z0 / torch.cos(z0).abs()                  # sqrt(2) / |j_1(z)| where sin z = 0
    norm1 = math.sqrt(2) * z1 / torch.sin(z1).abs()                  # sqrt(2) / |j_2(z)| where tan z = z
    t0, t1 = z0 * r, z1 * r
    radial0 = norm0 * torch.sin(t0) / t0
    radial1 = norm1 * (torch.sin(t1) / t1 - torch.cos(t1)) / t1
    y0, y1 = math.sqrt(1 / (4 * math.pi)), math.sqrt(3 / (4 * math.pi))
    directions = (theta.cos(), theta.sin() * phi.cos(), theta.sin() * phi.sin())
    angles = torch.cat([y0 * radial0] + [y1 * radial1 * u[:, None] for u in directions], 1)
    torsions = torch.cat((y0 * radial0, y1 * radial1 * tau.cos()[:, None]), 1)
    return angles, torsions


def stable_edges(position, edge_index, cutoff, draws=8, step=1e-6, limit=1e-4):
    """The double-precision features and, per edge and kind, whether they can be relied upon: the
    float32 values agree, and moving every coordinate by up to `step` hardly moves them."""
    double = geometry(position.double(), edge_index, cutoff)
    single = geometry(position.float(), edge_index, cutoff)
    generator = torch.Generator().manual_seed(1)
    others = [single]
    for _ in range(draws):
        noise = torch.rand(position.shape, generator=generator, dtype=torch.double)
        others.append(geometry(position.double() + step * (2 * noise - 1), edge_index, cutoff))
    stable = [torch.stack([(o[k] - double[k]).abs().amax(1) for o in others]).amax(0) < limit for k in (0, 1)]
    return double, stable


# ------------------------------------------------------------------------------ objectives
def nt_xent(a, b, temperature):
    """The sum of the two views' means; everything but the row itself is a negative."""
    count = len(a)
    both = torch.cat([x / x.norm(dim=1, keepdim=True) for x in (a, b)])
    logits = both @ both.T / temperature
    others = torch.logsumexp(logits.masked_fill(torch.eye(2 * count, dtype=torch.bool), -math.inf), 1)
    pairs = (both[:count] * both[count:]).sum(1) / temperature
    return (others.sum() - 2 * pairs.sum()) / count


def pretraining(w, batch, dims, training):
    """Every recorded quantity of one pre-training step, and the running statistics after it."""
    running = {} if training else None
    passes = [encode_2d(w, batch, dims, running) for _ in MODALITIES]   # one per modality, as published
    seen = dict(passes[0][1])
    features = (batch["feature1"], batch["feature2"])
    seen["comenet.node_out"], seen["comenet.out"] = comenet(
        w, "encoder3D.", batch["z"], features, batch["edge_index3d"], batch["batch3d"])
    bio = sum(linear(w, n, batch["bio_" + k]) for n, k in
              (("lintar", "target"), ("linenz", "enzyme"), ("lincate", "category"))) / 3
    seen["text.raw"] = linear(w, "lintext", batch["text"])
    seen["bio.raw"] = linear(w, "linfin", bio)
    targets = {"3d": seen["comenet.out"], "text": seen["text.raw"], "bio": seen["bio.raw"]}
    for (pooled, _), m in zip(passes, MODALITIES):
        seen[f"adapter{m}.raw"] = linear(w, "linto" + m, pooled)
        seen[f"z.gen{m}"] = layer_norm(w, "norm", seen[f"adapter{m}.raw"])
        seen[f"z.target{m}"] = layer_norm(w, "norm", targets[m])
    count = len(pooled)
    seen["cls.logits"] = linear(w, "modelcls", torch.cat([seen[f"z.gen{m}"] for m in MODALITIES]))
    chances = torch.log_softmax(seen["cls.logits"], 1)
    seen["cls.ce"] = -chances[torch.arange(3 * count), torch.arange(3).repeat_interleave(count)].mean()
    for t in TEMPERATURES:
        parts = {m: nt_xent(seen[f"z.gen{m}"], seen[f"z.target{m}"], t) for m in MODALITIES}
        seen.update({f"ntxent.{m}.tau{t}": loss for m, loss in parts.items()})
        seen[f"loss.total.tau{t}"] = sum(parts.values()) + 0.5 * seen["cls.ce"]
    return seen, running


def fusion(w, batch, dims, training):
    """The package's form: one-hot inputs; the 2D vector attends to the three generated ones."""
    running = {} if training else None
    pooled, _ = encode_2d(w, batch, dims, running, one_hot=True)
    query = layer_norm(w, "norm", pooled)
    generated = {m: layer_norm(w, "norm", linear(w, "linto" + m, pooled)) for m in MODALITIES}
    mixed, maps = [], []
    for s in range(len(query)):
        keys = torch.stack([generated[m][s] for m in MODALITIES])
        y, weights = attention(w, "finetune.attnfea", query[s : s + 1], keys, dims["heads"])
        mixed.append(y), maps.append(weights)
    seen = {"fused": batch_norm(w, "finetune.normf", query + torch.cat(mixed), running), "attn": torch.stack(maps)}
    seen.update({"gen" + m: generated[m] for m in MODALITIES})
    return seen


def trainable(name):
    return not name.endswith((".running_mean", ".running_var", ".num_batches_tracked", ".conv.eps"))


def everything(weights, batch, dims, dtype):
    """All outputs, losses, gradients and statistics of one batch in the given type, by golden name."""
    def cast(x):
        return x.to(dtype) if x.is_floating_point() else x

    w = {k: cast(v).clone().requires_grad_(v.is_floating_point() and trainable(k)) for k, v in weights.items()}
    batch = {k: cast(v) for k, v in batch.items()}
    for k in ("bio_target", "bio_enzyme", "bio_category", "x_onehot", "edge_onehot"):
        batch[k] = batch[k].to(dtype)
    out = {}
    for mode in ("eval", "train"):
        seen, running = pretraining(w, batch, dims, mode == "train")
        out.update({f"{mode}.{k}": v for k, v in seen.items() if mode == "eval" or not k.startswith("comenet")})
        if mode == "train":
            seen["loss.total.tau1.0"].backward()
            out.update({"grad." + k: v.grad for k, v in w.items() if v.grad is not None})
            out.update({"after." + k: v for k, v in running.items()})
        tuned = fusion(w, batch, dims, mode == "train")
        out.update({f"{mode}.finetune.{k}": v for k, v in tuned.items()})
    return {k: v.detach() for k, v in out.items()}
