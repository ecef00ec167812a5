// SPDX-License-Identifier: Apache-2.0
/// @file
/// Molecules as SVG pictures, with scores of atoms and bonds as colours.
#pragma once

#include <string>
#include <vector>

#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"

namespace m2u {

struct DrawOptions {
  int width = 320;   ///< pixels
  int height = 240;  ///< pixels
  /// None, or one score per atom in -1 … 1: blue below zero, orange above (heat_colour).
  std::vector<float> weights = {};
  std::vector<float> bond_weights = {};  ///< none, or one score per bond, the same
  float least = 0.05F;                   ///< scores of a smaller magnitude are not coloured
};

/// Draws a sanitised molecule in 2D as an SVG element that can be put into an HTML page: on
/// nothing, or on white if there are weights. report/heat_map.hpp adds a colour bar and a
/// description.
/// @throws Error if the number of weights is not that of the atoms or bonds.
std::string draw_svg(RDKit::ROMol const& mol, DrawOptions const& options = {});

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <GraphMol/MolDraw2D/MolDraw2DSVG.h>
#include <GraphMol/MolDraw2D/MolDraw2DUtils.h>
#include <GraphMol/RWMol.h>
#include <cmath>
#include <cstddef>
#include <exception>
#include <map>

#include "m2u/chem/rdkit_log.hpp"
#include "m2u/core/error.hpp"
#include "m2u/explain/heat_colour.hpp"

namespace m2u {

namespace detail {

/// Scores as RDKit's highlights: which, and in what colours.
struct Highlights {
  Highlights(std::vector<float> const& scores, float least) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (std::abs(scores[i]) >= least) {
        auto const colour = heat_colour(static_cast<double>(scores[i]));
        marked.push_back(static_cast<int>(i));
        colours.emplace(static_cast<int>(i), RDKit::DrawColour(colour[0], colour[1], colour[2]));
      }
    }
  }
  std::vector<int> marked;
  std::map<int, RDKit::DrawColour> colours;
};

inline void check_drawing(RDKit::ROMol const& mol, DrawOptions const& options) {
  auto const check = [](std::vector<float> const& scores, unsigned rows, char const* what) {
    expects(scores.empty() || scores.size() == rows, "draw_svg: the molecule has ", rows, ' ', what,
            ", but ", scores.size(), " weights were given");
  };
  check(options.weights, mol.getNumAtoms(), "atoms");
  check(options.bond_weights, mol.getNumBonds(), "bonds");
  expects(options.width > 0 && options.height > 0, "draw_svg: a picture of ", options.width, " × ",
          options.height, " pixels cannot be drawn");
}

/// Black lines and letters on white: element colours would mix with those of the scores, and a
/// picture that brings its own paper is readable on dark pages too.
inline void set_heat_style(RDKit::MolDrawOptions& style) {
  style.clearBackground = true;
  style.highlightRadius = 0.38;
  style.highlightBondWidthMultiplier = 14;
  style.atomHighlightsAreCircles = true;
  style.continuousHighlight = true;
  RDKit::assignBWPalette(style.atomColourPalette);
}

}  // namespace detail

M2U_INLINE std::string draw_svg(RDKit::ROMol const& mol, DrawOptions const& options) {
  detail::check_drawing(mol, options);
  RdkitLog const log;
  RDKit::RWMol flat(mol);
  flat.clearConformers();
  detail::Highlights const atoms(options.weights, options.least);
  detail::Highlights const bonds(options.bond_weights, options.least);
  RDKit::MolDraw2DSVG drawer(options.width, options.height, -1, -1, true);
  drawer.drawOptions().clearBackground = false;
  if (!options.weights.empty() || !options.bond_weights.empty()) {
    detail::set_heat_style(drawer.drawOptions());
  }
  bool kekulise = true;
  try {
    RDKit::MolDraw2DUtils::prepareMolForDrawing(flat, kekulise, false);
  } catch (std::exception const&) {
    flat = RDKit::RWMol(mol);
    flat.clearConformers();
    kekulise = false;
  }
  RDKit::MolDraw2DUtils::prepareAndDrawMolecule(drawer, flat, "", &atoms.marked, &bonds.marked,
                                                &atoms.colours, &bonds.colours, nullptr, -1,
                                                kekulise, false);
  drawer.finishDrawing();
  auto svg = drawer.getDrawingText();
  auto const begin = svg.find("<svg");  // without the XML declaration, which HTML does not take
  return begin == std::string::npos ? svg : svg.substr(begin);
}

}  // namespace m2u

#endif
