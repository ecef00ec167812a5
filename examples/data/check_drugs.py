# SPDX-License-Identifier: Apache-2.0
"""Check the structures of drugs.tsv against one or more second sources.

For every drug, the first block of its InChIKey (the connectivity, without
stereochemistry, charge and isotopes) is compared with that of the molecules
that carry the same name in the second-source tables. A salt is also compared
by its parent: the largest fragment, neutralised.

A second source is a tab-separated file, plain or .gz, whose header has the
columns "name" and "smiles". Fields are not quoted. Needs RDKit.

Exit code: 0 all agree, 1 a drug disagrees, is in no source or is not valid,
2 wrong usage or an unreadable file.
"""

import argparse
import gzip
import sys

try:
    from rdkit import Chem, RDLogger
    from rdkit.Chem.MolStandardize import rdMolStandardize
except ImportError:
    sys.exit("check_drugs.py: RDKit is needed (pip install rdkit)")

RDLogger.DisableLog("rdApp.*")

# International names and the names that some tables use instead.
ALIASES = {
    "acenocoumarol": ["nicoumalone"],
    "acetylsalicylic acid": ["aspirin"],
    "aciclovir": ["acyclovir"],
    "alendronic acid": ["alendronate"],
    "alpha-tocopherol": ["vitamin e", "tocopherol"],
    "amphetamine": ["amfetamine"],
    "benzylpenicillin": ["penicillin g"],
    "cefalexin": ["cephalexin"],
    "chlorphenamine": ["chlorpheniramine"],
    "chlortalidone": ["chlorthalidone"],
    "cholecalciferol": ["colecalciferol", "vitamin d3"],
    "clomifene": ["clomiphene"],
    "diamorphine": ["heroin", "diacetylmorphine"],
    "epinephrine": ["adrenaline"],
    "ethinylestradiol": ["ethinyl estradiol"],
    "glibenclamide": ["glyburide"],
    "glycerol": ["glycerin"],
    "hydroxycarbamide": ["hydroxyurea"],
    "indometacin": ["indomethacin"],
    "levothyroxine": ["thyroxine"],
    "mesalazine": ["mesalamine", "aminosalicylic acid"],
    "methamphetamine": ["metamfetamine"],
    "nicotinamide": ["niacinamide"],
    "nicotinic acid": ["niacin"],
    "nitroglycerin": ["glyceryl trinitrate"],
    "norethisterone": ["norethindrone"],
    "norepinephrine": ["noradrenaline"],
    "paracetamol": ["acetaminophen"],
    "pethidine": ["meperidine"],
    "phenoxymethylpenicillin": ["penicillin v"],
    "phytomenadione": ["phylloquinone", "vitamin k1", "phytonadione"],
    "retinol": ["vitamin a"],
    "risedronic acid": ["risedronate"],
    "salbutamol": ["albuterol"],
    "thiamazole": ["methimazole"],
    "torasemide": ["torsemide"],
    "valaciclovir": ["valacyclovir"],
    "zoledronic acid": ["zoledronate"],
}

COLUMNS = ["id", "smiles", "name", "description", "targets", "categories"]


def read_tsv(path):
    """The header and the rows (lists of fields) of a plain or gzip TSV file."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as f:
        header = f.readline().rstrip("\n").split("\t")
        return header, [line.rstrip("\n").split("\t") for line in f]


def parent(mol):
    """The largest fragment, neutralised; None where it is too small to tell."""
    fragments = Chem.GetMolFrags(mol, asMols=True)
    largest = max(fragments, key=lambda m: m.GetNumHeavyAtoms())
    if len(fragments) > 1 and largest.GetNumHeavyAtoms() < 5:
        return None  # potassium chloride is not sodium chloride
    return rdMolStandardize.Uncharger().uncharge(largest)


def keys(mol):
    """InChIKeys of the molecule as it is and of its parent."""
    found = [Chem.MolToInchiKey(mol)]
    base = parent(mol)
    if base is not None:
        found.append(Chem.MolToInchiKey(base))
    return [k for k in found if k]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drugs", help="drugs.tsv")
    parser.add_argument("source", nargs="+",
                        help="second source: TSV or TSV.gz with name and smiles columns")
    parser.add_argument("--quiet", action="store_true",
                        help="print only the drugs that do not agree, and the totals")
    args = parser.parse_args()

    try:
        header, rows = read_tsv(args.drugs)
        if header != COLUMNS:
            raise ValueError(f"{args.drugs}: columns are not {' '.join(COLUMNS)}")
        wanted = set()
        for row in rows:
            if len(row) != len(COLUMNS):
                raise ValueError(f"{args.drugs}: {row[0]}: {len(row)} fields")
            wanted.update([row[2], *ALIASES.get(row[2], [])])
        # source -> name -> SMILES
        sources = []
        for path in args.source:
            head, table = read_tsv(path)
            if "name" not in head or "smiles" not in head:
                raise ValueError(f"{path}: no name and smiles columns")
            n, s = head.index("name"), head.index("smiles")
            names = {}
            for fields in table:
                if len(fields) > max(n, s) and fields[n].strip().lower() in wanted:
                    names.setdefault(fields[n].strip().lower(), []).append(fields[s])
            sources.append((path.replace("\\", "/").split("/")[-1], names))
    except (OSError, EOFError, ValueError) as e:
        print(f"check_drugs.py: {e}", file=sys.stderr)
        return 2

    total = {"agree": 0, "disagree": 0, "missing": 0, "invalid": 0}
    same_stereo = 0
    seen_blocks = {}
    for id_, smiles, name, *_ in rows:
        mol = Chem.MolFromSmiles(smiles)
        problem = ""
        mine = keys(mol) if mol is not None else []
        if not mine:
            problem = "SMILES not valid"
        elif Chem.MolToSmiles(mol) != smiles:
            # other RDKit releases may order atoms differently: only a note
            print(f"note: {id_} {name}: SMILES is not canonical for this RDKit",
                  file=sys.stderr)
        if mine and mine[0][:14] in seen_blocks:
            problem = f"same skeleton as {seen_blocks[mine[0][:14]]}"
        if mine:
            seen_blocks[mine[0][:14]] = id_
        agree, differ, stereo = [], [], False
        for label, names in sources:
            theirs = []
            for n in [name, *ALIASES.get(name, [])]:
                for other in names.get(n, []):
                    m = Chem.MolFromSmiles(other)
                    if m is not None:
                        theirs.extend(keys(m))
            if not theirs:
                continue
            if {k[:14] for k in theirs} & {k[:14] for k in mine}:
                agree.append(label)
                stereo = stereo or bool({k[:25] for k in theirs} & {k[:25] for k in mine})
            else:
                differ.append(label)
        if problem:
            verdict = "invalid"
        elif agree:
            verdict = "agree"
            same_stereo += stereo
        else:
            verdict = "disagree" if differ else "missing"
        total[verdict] += 1
        if verdict != "agree" or not args.quiet:
            notes = [problem] if problem else []
            if agree:
                notes.append("in " + ",".join(agree))
                notes.append("stereo same" if stereo else "stereo differs")
            if differ:
                notes.append("not as in " + ",".join(differ))
            print("\t".join([id_, name, verdict, "; ".join(notes)]))

    print(f"{len(rows)} drugs: {total['agree']} agree ({same_stereo} with the same "
          f"stereochemistry), {total['disagree']} disagree, {total['missing']} in no "
          f"source, {total['invalid']} not valid")
    return 0 if total["agree"] == len(rows) else 1


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has gone
        sys.stdout = None
        status = 1
    sys.exit(status)
