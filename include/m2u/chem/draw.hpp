// SPDX-License-Identifier: Apache-2.0
/// @file
/// Molecules as SVG pictures.
#pragma once

#include <GraphMol/MolDraw2D/MolDraw2DSVG.h>
#include <GraphMol/MolDraw2D/MolDraw2DUtils.h>
#include <GraphMol/RWMol.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "m2u/chem/rdkit_log.hpp"
#include "m2u/core/error.hpp"

namespace m2u {

struct DrawOptions {
  int width = 320;                  ///< pixels
  int height = 240;                 ///< pixels
  std::vector<float> weights = {};  ///< none, or one per atom in -1 … 1: red above zero, blue below
  float least = 0.05F;              ///< weights of a smaller magnitude are not coloured
};

/// Draws a sanitised molecule in 2D as an SVG element that can be put into an HTML page.
/// @throws Error if the number of weights is not that of the atoms.
inline std::string draw_svg(RDKit::ROMol const& mol, DrawOptions const& options = {}) {
  auto const atoms = static_cast<std::size_t>(mol.getNumAtoms());
  expects(options.weights.empty() || options.weights.size() == atoms, "draw_svg: the molecule has ",
          atoms, " atoms, but ", options.weights.size(), " weights were given");
  expects(options.width > 0 && options.height > 0, "draw_svg: a picture of ", options.width, " × ",
          options.height, " pixels cannot be drawn");
  RdkitLog const log;
  RDKit::RWMol flat(mol);
  flat.clearConformers();
  std::vector<int> marked;
  std::map<int, RDKit::DrawColour> colours;
  for (std::size_t i = 0; i < options.weights.size(); ++i) {
    double const weight = std::clamp(static_cast<double>(options.weights[i]), -1.0, 1.0);
    if (std::abs(weight) >= static_cast<double>(options.least)) {
      double const pale = 1.0 - 0.75 * std::abs(weight);
      marked.push_back(static_cast<int>(i));
      colours.emplace(static_cast<int>(i), weight > 0 ? RDKit::DrawColour(1.0, pale, pale)
                                                      : RDKit::DrawColour(pale, pale, 1.0));
    }
  }
  RDKit::MolDraw2DSVG drawer(options.width, options.height, -1, -1, true);
  drawer.drawOptions().clearBackground = false;
  std::vector<int> const no_bonds;
  bool kekulise = true;
  try {
    RDKit::MolDraw2DUtils::prepareMolForDrawing(flat, kekulise, false);
  } catch (std::exception const&) {
    flat = RDKit::RWMol(mol);
    flat.clearConformers();
    kekulise = false;
  }
  RDKit::MolDraw2DUtils::prepareAndDrawMolecule(drawer, flat, "", &marked, &no_bonds, &colours,
                                                nullptr, nullptr, -1, kekulise, false);
  drawer.finishDrawing();
  auto svg = drawer.getDrawingText();
  auto const begin = svg.find("<svg");  // without the XML declaration, which HTML does not take
  return begin == std::string::npos ? svg : svg.substr(begin);
}

}  // namespace m2u
