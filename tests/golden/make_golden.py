#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden numbers of this folder, and checks the code that makes them. See README.md.

  make_golden.py                  writes manifest.json, *.safetensors and toy.pt here
  make_golden.py --check DIR      runs the reference code on another folder of the same form
  make_golden.py --snippet        turns toy.pt into toy.safetensors and compares the two
"""
import argparse
import collections
import json
import math
import pathlib

import numpy
import rdkit
import safetensors
import torch
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem, rdchem
from safetensors.torch import load_file, save_file

import m2umol

HERE = pathlib.Path(__file__).resolve().parent
SEED = 17
DIMS = {
    "channels": 16, "layers": 2, "heads": 2, "pe": 20, "pe_dim": 4, "text": 24, "bio": [20, 6, 15],
    "comenet": {"cutoff": 8.0, "num_layers": 2, "hidden_channels": 16, "middle_channels": 8, "out_channels": 16,
                "num_radial": 3, "num_spherical": 2, "num_output_layers": 3},
}
FULL = {"hidden_channels": 48, "middle_channels": 20, "num_layers": 3, "out_channels": 24}
MOLECULES = {
    "a": ["C[C@@H](O)c1ccon1", "C[C@H](N)C(=O)O", "C=CC#N", "Brc1cscn1", "F/C=C/Cl", "C[N+](C)(C)[O-]"],
    "b": ["CC1CO1", "N", "[Ar]", "[Na+].[F-]", "N#CC1(O)CC1"],
}
IONS = [[0.0, 0.0, 0.0], [1.9, 0.3, -0.2]]  # RDKit would stack the two on one place
ATOM_SIZES, BOND_SIZES = (119, 5, 12, 12, 10, 6, 6, 2, 2), (5, 6, 2)
# The element list of the published package, in its order; anything else is "unknown" (as argon).
SYMBOLS = ("Ru In Ac Ho Pt Fe Pb Ni Li Ne Rb La Mn O I Sb Pd Br Sn Ra Xe Cl F S Si Na Bi Se P Ca Al Hg Ga Lu K W Tc "
           "Tl Ti Ta Mg N As Sm Zr Co Bk Cs V Zn Au Ag He H Cr Sr B Cd Cu Re Nb Te Mo Y Kr Gd Ba Nd Ce C Be").split()
NOTES = [
    "made by tests/golden/make_golden.py, our own code, in double precision: every value is the double result rounded "
    "to float32 (out64: double); no published code was run",
    "fp32_error: the largest |float32 - double| of each tensor when the same code runs in either type on the same "
    "float32 inputs and weights",
    "dropout 0; every weight, bias, norm parameter and running statistic is random",
    "keys eval.* : recorded statistics; train.* : batch statistics",
    "the 2D encoder runs three times on the same batch: running statistics (after.*) are updated three times",
    "grad.* : gradient of train.loss.total.tau1.0",
    "gpsK.attn : attention averaged over heads, a row per atom, columns padded with 0 to the largest molecule",
    "edge_index and edge_index3d: row 0 is the source j, row 1 the target i",
    "in.feature1/2 are the published features in double, rounded (as geom.*_f64); geom.stable1/2 mark the edges whose "
    "features agree between float32 and double and hardly move when the positions do; argon has no 3D edge",
    "finetune.* weights: what the package's form has besides the pre-training weights (linfi, classification_mlp: unused)",
]
FULL_WEIGHTS = (
    "for the k-th (from 0) entry of params_in_order, flattened row-major: u(i) = (splitmix64((k<<32)+i) >> 40) / 2^23 - 1 "
    "in double, where splitmix64(x): x+=0x9E3779B97F4A7C15; x=(x^(x>>30))*0xBF58476D1CE4E5B9; "
    "x=(x^(x>>27))*0x94D049BB133111EB; x^=x>>31 (mod 2^64); value = u*sqrt(3) for emb.emb.weight, u*sqrt(3/columns) for "
    "other matrices, 1+0.1*u for *norm.weight and *mean_scale, 0.05*u for other vectors; cast to float32. Feed "
    "in.feature1/2 (see notes)")


# ------------------------------------------------------------------------------ molecules
def place(value, choices):
    """Index of the value; the last choice stands for everything else."""
    return choices.index(value) if value in choices else len(choices) - 1


def atom_codes(atom):
    h, c = rdchem.HybridizationType, rdchem.ChiralType
    return [
        place(atom.GetAtomicNum(), [*range(1, 119), "other"]),
        place(atom.GetChiralTag(), [c.CHI_UNSPECIFIED, c.CHI_TETRAHEDRAL_CW, c.CHI_TETRAHEDRAL_CCW, c.CHI_OTHER, "other"]),
        place(atom.GetTotalDegree(), [*range(11), "other"]),
        place(atom.GetFormalCharge(), [*range(-5, 6), "other"]),
        place(atom.GetTotalNumHs(), [*range(9), "other"]),
        place(atom.GetNumRadicalElectrons(), [*range(5), "other"]),
        place(atom.GetHybridization(), [h.SP, h.SP2, h.SP3, h.SP3D, h.SP3D2, "other"]),
        int(atom.GetIsAromatic()), int(atom.IsInRing()),
    ]


def bond_codes(bond):
    t, s = rdchem.BondType, rdchem.BondStereo
    return [
        place(bond.GetBondType(), [t.SINGLE, t.DOUBLE, t.TRIPLE, t.AROMATIC, "other"]),
        place(bond.GetStereo(), [s.STEREONONE, s.STEREOZ, s.STEREOE, s.STEREOCIS, s.STEREOTRANS, s.STEREOANY]),
        int(bond.GetIsConjugated()),
    ]


def one_hot(index, size):
    return [float(k == index) for k in range(size)]


def atom_values(atom):
    """The package's 103 numbers of an atom."""
    h = rdchem.HybridizationType
    implicit = atom.GetValence(rdchem.ValenceType.IMPLICIT)
    return [
        *one_hot(place(atom.GetSymbol(), [*SYMBOLS, "other"]), 72),
        *one_hot(atom.GetDegree(), 11),
        *one_hot(min(implicit, 6), 7),
        atom.GetFormalCharge(), atom.GetNumRadicalElectrons(),
        *one_hot(place(atom.GetHybridization(), [h.SP, h.SP2, h.SP3, h.SP3D, h.SP3D2]), 5),
        float(atom.GetIsAromatic()),
        *one_hot(min(atom.GetTotalNumHs(), 4), 5),
    ]


def bond_values(bond):
    """The package's 6 numbers of a bond."""
    t = rdchem.BondType
    kinds = [float(bond.GetBondType() == k) for k in (t.SINGLE, t.DOUBLE, t.TRIPLE, t.AROMATIC)]
    return [*kinds, float(bond.GetIsConjugated()), float(bond.IsInRing())]


def random_walk(bonds, atoms, steps):
    """Chances of being back after 1 … steps steps."""
    step = torch.zeros(atoms, atoms, dtype=torch.double)
    for a, b in bonds:
        step[a, b] = step[b, a] = 1
    step = step / step.sum(1, keepdim=True).clamp(min=1)
    power, columns = step, []
    for _ in range(steps):
        columns.append(power.diagonal())
        power = power @ step
    return torch.stack(columns, 1)


def conformer(smiles):
    """Atomic numbers and positions with explicit hydrogens."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if AllChem.EmbedMolecule(molecule, randomSeed=SEED) != 0:
        raise SystemExit(f"no conformer of {smiles}")
    if "." in smiles:
        position = IONS
    else:
        AllChem.UFFOptimizeMolecule(molecule)
        position = molecule.GetConformer().GetPositions()
    return [a.GetAtomicNum() for a in molecule.GetAtoms()], torch.tensor(numpy.array(position)).float()


def radius_edges(position, cutoff, most=32):
    edges = []
    distance = torch.cdist(position.double(), position.double())
    for i in range(len(position)):
        near = [j for j in torch.argsort(distance[i], stable=True).tolist() if j != i and distance[i, j] < cutoff]
        edges += [(j, i) for j in near[:most]]
    return torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T


def make_inputs(smiles, generator):
    """The in.* tensors of a batch, without text, bio and geometry features."""
    parts = collections.defaultdict(list)
    atoms = atoms3d = 0
    for m, text in enumerate(smiles):
        molecule = Chem.MolFromSmiles(text)
        count = molecule.GetNumAtoms()
        parts["x"] += [atom_codes(a) for a in molecule.GetAtoms()]
        parts["x_onehot"] += [atom_values(a) for a in molecule.GetAtoms()]
        bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
        parts["edge_index"] += [(atoms + a, atoms + b) for a, b in bonds + [(b, a) for a, b in bonds]]
        parts["edge_attr"] += [bond_codes(b) for b in molecule.GetBonds()] * 2
        parts["edge_onehot"] += [bond_values(b) for b in molecule.GetBonds()] * 2
        parts["rwpe"].append(random_walk(bonds, count, DIMS["pe"]))
        parts["batch"] += [m] * count
        numbers, position = conformer(text)
        parts["z"] += numbers
        parts["pos"].append(position)
        parts["batch3d"] += [m] * len(numbers)
        parts["edge_index3d"].append(radius_edges(position, DIMS["comenet"]["cutoff"]) + atoms3d)
        atoms, atoms3d = atoms + count, atoms3d + len(numbers)
    integers = {k: torch.tensor(parts[k], dtype=torch.int32) for k in ("x", "edge_attr", "batch", "z", "batch3d")}
    result = {
        **integers,
        "edge_index": torch.tensor(parts["edge_index"], dtype=torch.int32).T.contiguous(),
        "edge_index3d": torch.cat(parts["edge_index3d"], 1).int(),
        "x_onehot": torch.tensor(parts["x_onehot"]), "edge_onehot": torch.tensor(parts["edge_onehot"]).to(torch.uint8),
        "rwpe": torch.cat(parts["rwpe"]).float(), "pos": torch.cat(parts["pos"]),
        "text": torch.tanh(torch.randn(len(smiles), DIMS["text"], generator=generator)),
    }
    for name, size in zip(("target", "enzyme", "category"), DIMS["bio"]):
        result["bio_" + name] = (torch.rand(len(smiles), size, generator=generator) < 0.25).to(torch.uint8)
    return result


# ------------------------------------------------------------------------------ weights
def comenet_shapes(hidden_channels, middle_channels, num_layers, out_channels, **_):
    h, m = hidden_channels, middle_channels
    shapes = {"emb.emb.weight": (95, h)}

    def dense(name, rows, columns, bias=True):
        shapes[name + ".weight"] = (rows, columns)
        if bias:
            shapes[name + ".bias"] = (rows,)

    for b in range(num_layers):
        block = f"interaction_blocks.{b}."
        for c in "12":
            dense(f"{block}conv{c}.lin_rel", h, h)
            dense(f"{block}conv{c}.lin_root", h, h, bias=False)
        dense(block + "lin1", h, h), dense(block + "lin2", h, h), dense(block + "lin_cat", h, 2 * h)
        shapes.update({f"{block}norm.{p}": (h,) for p in ("weight", "bias", "mean_scale")})
        for c, columns in (("1", 12), ("2", 6)):
            dense(f"{block}lin_feature{c}.lin1", m, columns, bias=False)
            dense(f"{block}lin_feature{c}.lin2", h, m, bias=False)
        for name in ("lin", "lins.0", "lins.1", "lins.2", "final"):
            dense(block + name, h, h)
    for k in range(3):
        dense(f"lins.{k}", h, h)
    dense("lin_out", out_channels, h)
    return shapes


def all_shapes(dims):
    c, atom_width = dims["channels"], dims["channels"] - dims["pe_dim"]
    shapes = {}

    def dense(name, rows, columns):
        shapes[name + ".weight"], shapes[name + ".bias"] = (rows, columns), (rows,)

    def norm(name, size, running=True):
        shapes[name + ".weight"] = shapes[name + ".bias"] = (size,)
        if running:
            shapes[name + ".running_mean"] = shapes[name + ".running_var"] = (size,)
            shapes[name + ".num_batches_tracked"] = ()

    def attention(name):
        shapes[name + ".in_proj_weight"], shapes[name + ".in_proj_bias"] = (3 * c, c), (3 * c,)
        dense(name + ".out_proj", c, c)

    for k in range(dims["layers"]):
        layer = f"encoder2D.{k}."
        shapes[layer + "conv.eps"] = (1,)
        dense(layer + "conv.nn.0", c, c), dense(layer + "conv.nn.2", c, c)
        attention(layer + "attn")
        dense(layer + "mlp.0", 2 * c, c), dense(layer + "mlp.3", c, 2 * c)
        for n in "123":
            norm(f"{layer}norm{n}.module", c)
    dense("pe_lin", dims["pe_dim"], dims["pe"])
    norm("pe_norm", dims["pe"]), norm("norm", c, running=False)
    shapes.update({f"linx.atom_embedding_list.{k}.weight": (s, atom_width) for k, s in enumerate(ATOM_SIZES)})
    shapes.update({f"linedgea.bond_embedding_list.{k}.weight": (s, c) for k, s in enumerate(BOND_SIZES)})
    shapes.update({"encoder3D." + k: v for k, v in comenet_shapes(**dims["comenet"]).items()})
    for name, size in zip(("lintar", "linenz", "lincate"), dims["bio"]):
        dense(name, c, size)
    dense("lintext", c, dims["text"])
    for name in ("linfin", "linto3d", "lintotext", "lintobio"):
        dense(name, c, c)
    dense("modelcls", 3, c)
    dense("finetune.linx", atom_width, 103), dense("finetune.linedgea", c, 6)
    attention("finetune.attnfea")
    dense("finetune.linfi", c, c), norm("finetune.normf", c), dense("finetune.classification_mlp", 1, c)
    return shapes


def make_weights(shapes, generator):
    weights = {}
    for name, shape in shapes.items():
        u = 2 * torch.rand(shape, generator=generator) - 1
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(3)
        elif name.endswith(".eps"):
            weights[name] = torch.zeros(1)
        elif name.endswith("running_var"):
            weights[name] = 1 + 0.5 * u
        elif "norm" in name and name.endswith((".weight", ".mean_scale")):
            weights[name] = 1 + 0.3 * u
        elif len(shape) == 1:
            weights[name] = 0.2 * u
        else:
            columns = 1 if "emb" in name else shape[1]
            weights[name] = u * math.sqrt((1 if "emb" in name else 2) / columns)
    return weights


def formula_weights(shapes):
    """The weights of comenet_full.safetensors, see FULL_WEIGHTS."""
    weights = {}
    for k, (name, shape) in enumerate(shapes.items()):
        x = (numpy.uint64(k) << numpy.uint64(32)) + numpy.arange(math.prod(shape), dtype=numpy.uint64)
        with numpy.errstate(over="ignore"):
            x = x + numpy.uint64(0x9E3779B97F4A7C15)
            x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        u = ((x ^ (x >> numpy.uint64(31))) >> numpy.uint64(40)).astype(numpy.float64) / 2**23 - 1
        if name == "emb.emb.weight":
            u = u * math.sqrt(3)
        elif len(shape) == 2:
            u = u * math.sqrt(3 / shape[1])
        else:
            u = 1 + 0.1 * u if name.endswith(("norm.weight", "mean_scale")) else 0.05 * u
        weights[name] = torch.from_numpy(u).float().reshape(shape)
    return weights


# ------------------------------------------------------------------------------ the golden set
def indices(batch):
    return {k: v.long() if v.dtype == torch.int32 else v for k, v in batch.items()}


def run_full(shapes, inputs, dtype):
    weights = {k: v.to(dtype) for k, v in formula_weights(shapes).items()}
    features = (inputs["feature1"].to(dtype), inputs["feature2"].to(dtype))
    return m2umol.comenet(weights, "", inputs["z"], features, inputs["edge_index3d"], inputs["batch"])[1]


def make_batch(weights, smiles, generator):
    """(tensors to write, fp32 errors of the computed ones)."""
    inputs = make_inputs(smiles, generator)
    edges, cutoff = inputs["edge_index3d"].long(), DIMS["comenet"]["cutoff"]
    features, stable = m2umol.stable_edges(inputs["pos"], edges, cutoff)
    written = {}
    for k in (1, 2):
        inputs[f"feature{k}"] = features[k - 1].float()
        written[f"geom.feature{k}_f64"] = features[k - 1].float()
        written[f"geom.stable{k}"] = stable[k - 1].to(torch.uint8)
    written.update({"in." + k: v for k, v in inputs.items()})
    double = m2umol.everything(weights, indices(inputs), DIMS, torch.double)
    single = m2umol.everything(weights, indices(inputs), DIMS, torch.float)
    errors = {k: (single[k].double() - v).abs().max().item() for k, v in double.items()}
    written.update({k: v.float() for k, v in double.items()})
    return written, errors


def save(tensors, name):
    # clone: no two names may share memory in a safetensors file
    save_file({k: v.clone().contiguous() for k, v in tensors.items()}, HERE / name)
    (HERE / name).chmod(0o644)


def make_full(batch):
    """ComENet alone, other sizes, weights by formula: on the first two molecules of batch a."""
    atoms = batch["in.batch3d"] < 2
    edges = batch["in.edge_index3d"].long()
    keep = atoms[edges[0]]
    inputs = {"z": batch["in.z"][atoms].long(), "pos": batch["in.pos"][atoms], "batch": batch["in.batch3d"][atoms].long(),
              "edge_index3d": edges[:, keep], "feature1": batch["in.feature1"][keep], "feature2": batch["in.feature2"][keep]}
    shapes = comenet_shapes(**FULL)
    out, single = (run_full(shapes, inputs, t) for t in (torch.double, torch.float))
    save({**{"in." + k: v for k, v in inputs.items()}, "out": out.float(), "out64": out}, "comenet_full.safetensors")
    return {
        "file": "comenet_full.safetensors", "molecules": "first 2 of batch a",
        "params": "ComENet(out_channels={out_channels}), hidden {hidden_channels}, middle {middle_channels}, "
                  "{num_layers} blocks".format(**FULL),
        "weights": FULL_WEIGHTS, "params_in_order": [[k, list(v)] for k, v in shapes.items()],
        "fp32_error": (single.double() - out).abs().max().item(),
    }


def make_toy(weights):
    """A file as the authors' package saves it, with what torch.save allows and safetensors does not:
    one tensor under two names (the second of them unused) and one that is stored transposed."""
    own = {k.removeprefix("finetune."): v for k, v in weights.items() if k.startswith("finetune.")}
    kept = ("encoder2D.", "pe_lin.", "pe_norm.", "norm.", "linto3d.", "lintotext.", "lintobio.")
    state = {k: v for k, v in weights.items() if k.startswith(kept)} | own
    state["linfi.weight"] = state["linto3d.weight"]
    state["attnfea.out_proj.weight"] = state["attnfea.out_proj.weight"].T.contiguous().T
    torch.save(state, HERE / "toy.pt")


def make():
    generator = torch.Generator().manual_seed(SEED)
    weights = make_weights(all_shapes(DIMS), generator)
    save(weights, "weights.safetensors")
    batches, tensors = {}, {}
    for name, smiles in MOLECULES.items():
        written, errors = make_batch(weights, smiles, generator)
        save(written, f"batch_{name}.safetensors")
        for k, v in written.items():
            tensors[f"{name}:{k}"] = {"shape": list(v.shape)}
            if k in errors:
                tensors[f"{name}:{k}"]["fp32_error"] = float(f"{errors[k]:.2e}")
        counts = {a: written["in." + b].bincount().tolist() for a, b in (("atoms", "batch"), ("atoms3d", "batch3d"))}
        batches[name] = {"file": f"batch_{name}.safetensors", "smiles": smiles, **counts,
                         "edges3d": written["in.edge_index3d"].shape[1]}
        shares = [written[f"geom.stable{k}"].double().mean().item() for k in (1, 2)]
        print(f"batch {name}: {batches[name]['edges3d']} edges in 3D, stable {shares[0]:.1%} and {shares[1]:.1%}")
        if name == "a":
            full = make_full(written)
    versions = f"torch {torch.__version__}, rdkit {rdkit.__version__}, safetensors {safetensors.__version__}"
    manifest = {"reference": f"tests/golden/m2umol.py in double precision ({versions})", "seed": SEED, "dims": DIMS,
                "notes": NOTES, "batches": batches, "tensors": tensors, "comenet_full": full}
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    make_toy(weights)


# ------------------------------------------------------------------------------ checks
def report(rows):
    """rows: (quantity, tensor, difference, largest value, fp32_error). Prints the worst per quantity;
    true where every difference is explained by float32. `relative` leaves out the tensors that are
    nothing but rounding (gradients of biases before a batch norm are 0)."""
    groups = collections.defaultdict(list)
    for quantity, *row in rows:
        groups[quantity].append(row)
    print(f"{'quantity':<28}{'tensors':>8}{'largest':>10}{'relative':>10}{'x fp32_error':>14}  worst tensor")
    good = True
    for quantity, members in groups.items():
        real = [(d / largest, tensor) for tensor, d, largest, error in members if largest > 100 * error]
        relative, worst = max(real) if real else (0.0, "-")
        times = max((d / error for _, d, _, error in members if error), default=math.nan)
        print(f"{quantity:<28}{len(members):>8}{max(d for _, d, *_ in members):>10.1e}{relative:>10.1e}{times:>14.2f}  {worst}")
        good = good and all(d <= max(2 * error, 5e-7 * largest) for _, d, largest, error in members)
    return good


def check_inputs(batch, smiles):
    """Our atom, bond and walk numbers against recorded ones (conformers are random: not compared)."""
    ours = {"x": [], "edge_attr": [], "x_onehot": [], "edge_onehot": [], "rwpe": []}
    for text in smiles:
        molecule = Chem.MolFromSmiles(text)
        bonds = list(molecule.GetBonds())
        ours["x"] += [atom_codes(a) for a in molecule.GetAtoms()]
        ours["x_onehot"] += [atom_values(a) for a in molecule.GetAtoms()]
        ours["edge_attr"] += [bond_codes(b) for b in bonds] * 2
        ours["edge_onehot"] += [bond_values(b) for b in bonds] * 2
        pairs = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in bonds]
        ours["rwpe"] += random_walk(pairs, molecule.GetNumAtoms(), batch["in.rwpe"].shape[1]).tolist()
    for name, rows in ours.items():
        d = (torch.tensor(rows, dtype=torch.double) - batch["in." + name].double()).abs().max().item()
        yield "inputs", f"in.{name}", d, 1.0, 0.0


def check_geometry(batch, cutoff):
    double = m2umol.geometry(batch["in.pos"].double(), batch["in.edge_index3d"].long(), cutoff)
    for k in (1, 2):
        stable = batch[f"geom.stable{k}"].bool()
        recorded = batch[f"geom.feature{k}_f64"].double()
        d = (double[k - 1] - recorded).abs()
        yield "geometry, stable edges", f"feature{k}", d[stable].max().item(), recorded.abs().max().item(), 0.0


def check_batch(weights, batch, name, manifest):
    inputs = {k[3:]: v for k, v in batch.items() if k.startswith("in.")}
    result = m2umol.everything(weights, indices(inputs), manifest["dims"], torch.double)
    for key, recorded in batch.items():
        if key.startswith(("in.", "geom.")):
            continue
        ours = result["grad." + key[9:]].norm()[None] if key.startswith("gradnorm.") else result[key]
        d = (ours - recorded.double()).abs().max().item()
        error = manifest["tensors"][f"{name}:{key}"].get("fp32_error", 0.0)
        kind, what = key.split(".")[:2]
        quantity = kind if kind in ("grad", "gradnorm", "after") else f"{kind}.{what.rstrip('0123456789')}"
        yield f"{name} {quantity}", key, d, recorded.abs().max().item(), error


def check(folder):
    folder = pathlib.Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    good = True
    weights = load_file(folder / "weights.safetensors")
    for name, entry in manifest["batches"].items():
        batch = load_file(folder / entry["file"])
        print(f"--- batch {name}")
        good &= report([*check_inputs(batch, entry["smiles"]), *check_batch(weights, batch, name, manifest),
                        *check_geometry(batch, manifest["dims"]["comenet"]["cutoff"])])
    full = manifest["comenet_full"]
    recorded = load_file(folder / full["file"])
    shapes = {k: tuple(v) for k, v in full["params_in_order"]}
    out = run_full(shapes, {k[3:]: v for k, v in recorded.items() if k.startswith("in.")}, torch.double)
    print("--- comenet_full")
    largest = out.abs().max().item()
    good &= report([
        ("out", "out", (out - recorded["out"].double()).abs().max().item(), largest, full["fp32_error"]),
        ("out64", "out64", (out - recorded["out64"]).abs().max().item(), largest, 0.0)])
    if not good:
        raise SystemExit("differences beyond the float32 error of the recorded values")


def snippet():
    state = torch.load(HERE / "toy.pt", map_location="cpu", weights_only=True)
    state = {name: tensor.clone().contiguous() for name, tensor in state.items()}
    safetensors.torch.save_file(state, HERE / "toy.safetensors")
    (HERE / "toy.safetensors").chmod(0o644)

    saved = torch.load(HERE / "toy.pt", map_location="cpu", weights_only=True)
    read = load_file(HERE / "toy.safetensors")
    if saved.keys() != read.keys():
        raise SystemExit(f"names differ: {saved.keys() ^ read.keys()}")
    for name, tensor in saved.items():
        if tensor.dtype != read[name].dtype or not torch.equal(tensor, read[name]):
            raise SystemExit(f"{name} differs")
    blocks = {tensor.untyped_storage().data_ptr() for tensor in saved.values()}
    print(f"{len(read)} tensors alike; {sum(t.dtype == torch.int64 for t in read.values())} of int64, "
          f"{sum(not t.is_contiguous() for t in saved.values())} were not contiguous, "
          f"{len(saved) - len(blocks)} the same as another")


def main():
    RDLogger.DisableLog("rdApp.*")
    torch.set_num_threads(1)
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", metavar="DIR", help="compare the reference code with the values in DIR")
    arguments.add_argument("--snippet", action="store_true", help="turn toy.pt into toy.safetensors and compare")
    chosen = arguments.parse_args()
    if chosen.check:
        check(chosen.check)
    elif chosen.snippet:
        snippet()
    else:
        make()


if __name__ == "__main__":
    main()
