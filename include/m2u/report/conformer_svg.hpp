// SPDX-License-Identifier: Apache-2.0
/// @file
/// A conformer as a picture: atoms as shaded discs, seen from the side that shows most of it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/linalg/backend/eigen_symmetric.hpp"
#include "m2u/report/markup.hpp"

namespace m2u {

struct ConformerPicture {
  std::span<int const> atomic_numbers = {};  ///< [atoms]
  std::span<float const> positions = {};     ///< [atoms, 3] Å
  int width = 240;                           ///< of the view box
  int height = 180;
  std::string title = {};  ///< for those who can't see it
};

namespace detail {

/// Covalent radii (Cordero et al. 2008), in Å; 1.5 for elements that are rare in drugs.
inline double covalent_radius(int number) {
  switch (number) {
    case 1:
      return 0.31;
    case 6:
      return 0.76;
    case 7:
      return 0.71;
    case 8:
      return 0.66;
    case 9:
      return 0.57;
    case 15:
      return 1.07;
    case 16:
      return 1.05;
    case 17:
      return 1.02;
    case 35:
      return 1.20;
    case 53:
      return 1.39;
    default:
      return 1.5;
  }
}

/// The usual colours of elements, a little darker than usual so that they show on white.
inline std::string_view element_colour(int number) {
  switch (number) {
    case 1:
      return "#e8e8e8";
    case 6:
      return "#6b6b6b";
    case 7:
      return "#3f5fe0";
    case 8:
      return "#e0332b";
    case 9:
    case 17:
      return "#3aa655";
    case 15:
      return "#e08a1e";
    case 16:
      return "#d8b400";
    case 35:
      return "#9c3b2e";
    case 53:
      return "#7d2a9c";
    default:
      return "#c06aa0";
  }
}

/// Coordinates along the principal axes, the longest first: x, y and towards the reader.
inline std::vector<std::array<double, 3>> principal_view(std::span<float const> positions) {
  auto const atoms = positions.size() / 3;
  std::vector<std::array<double, 3>> points(atoms);
  std::array<double, 3> centre{};
  for (std::size_t i = 0; i < atoms; ++i) {
    for (std::size_t k = 0; k < 3; ++k) {
      points[i][k] = static_cast<double>(positions[3 * i + k]);
      centre[k] += points[i][k] / static_cast<double>(atoms);
    }
  }
  std::array<double, 9> axes{};  // their columns, once the moments are replaced
  for (auto& point : points) {
    for (std::size_t k = 0; k < 3; ++k) {
      point[k] -= centre[k];
    }
    for (std::size_t k = 0; k < 9; ++k) {
      axes[k] += point[k / 3] * point[k % 3];
    }
  }
  backend::symmetric_eigenvectors(Strided<double>{axes.data(), 3, 3, 3});
  // The third is the product of the others, so that this is a rotation: a mirror would show the
  // other enantiomer.
  for (std::size_t k = 0; k < 3; ++k) {
    auto const next = (k + 1) % 3;
    auto const last = (k + 2) % 3;
    axes[3 * k + 2] = axes[3 * next] * axes[3 * last + 1] - axes[3 * last] * axes[3 * next + 1];
  }
  for (auto& point : points) {
    std::array<double, 3> turned{};
    for (std::size_t k = 0; k < 9; ++k) {
      turned[k % 3] += point[k / 3] * axes[k];
    }
    point = turned;
  }
  return points;
}

}  // namespace detail

/// Atoms far away first, bonds (atoms nearer than 1.25 times the sum of their covalent radii) below
/// the nearer of their atoms.  @throws Error if there is no atom or the sizes do not fit.
inline std::string conformer_svg(ConformerPicture const& picture) {
  auto const atoms = picture.atomic_numbers.size();
  expects(atoms > 0 && picture.positions.size() == 3 * atoms, "conformer_svg: ", atoms,
          " atoms, but ", picture.positions.size(), " coordinates");
  auto const view = detail::principal_view(picture.positions);
  double reach[2] = {1.0, 1.0};
  for (auto const& point : view) {
    reach[0] = std::max(reach[0], std::abs(point[0]) + 1.0);
    reach[1] = std::max(reach[1], std::abs(point[1]) + 1.0);
  }
  double const unit = std::min(picture.width / (2.0 * reach[0]), picture.height / (2.0 * reach[1]));
  auto const x = [&](std::size_t i) { return picture.width / 2.0 + unit * view[i][0]; };
  auto const y = [&](std::size_t i) { return picture.height / 2.0 - unit * view[i][1]; };
  auto const number = [](double value) { return number_text(value, 1, true); };
  std::vector<std::size_t> order(atoms);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return view[a][2] < view[b][2]; });
  std::string svg = "<svg xmlns='http://www.w3.org/2000/svg' role='img' viewBox='0 0 " +
                    std::to_string(picture.width) + ' ' + std::to_string(picture.height) +
                    "'><title>" + escape_markup(picture.title) + "</title>\n";
  for (std::size_t k = 0; k < atoms; ++k) {
    auto const i = order[k];
    for (std::size_t l = 0; l < k; ++l) {
      auto const j = order[l];
      double square = 0.0;
      for (int axis = 0; axis < 3; ++axis) {
        square += (view[i][axis] - view[j][axis]) * (view[i][axis] - view[j][axis]);
      }
      double const bond = 1.25 * (detail::covalent_radius(picture.atomic_numbers[i]) +
                                  detail::covalent_radius(picture.atomic_numbers[j]));
      if (square < bond * bond) {
        svg += "<path d='M" + number(x(j)) + ' ' + number(y(j)) + 'L' + number(x(i)) + ' ' +
               number(y(i)) + "' stroke='#8a8a8a' stroke-width='" + number(0.18 * unit) +
               "' stroke-linecap='round'/>\n";
      }
    }
    auto const radius = unit * (0.18 + 0.22 * detail::covalent_radius(picture.atomic_numbers[i]));
    svg += "<circle cx='" + number(x(i)) + "' cy='" + number(y(i)) + "' r='" + number(radius) +
           "' fill='" + std::string(detail::element_colour(picture.atomic_numbers[i])) +
           "' stroke='#333333' stroke-width='0.6'/>\n";
  }
  return svg + "</svg>\n";
}

}  // namespace m2u
