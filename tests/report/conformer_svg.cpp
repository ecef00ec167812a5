// SPDX-License-Identifier: Apache-2.0
#include "m2u/report/conformer_svg.hpp"

#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "report/markup_checker.hpp"

namespace {

int count(std::string const& text, std::string const& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("a conformer's picture has its atoms and bonds", "[report]") {
  // Water, and a helium far away.
  std::vector<int> const numbers{8, 1, 1, 2};
  std::vector<float> const positions{0, 0, 0, 0.96F, 0, 0, -0.24F, 0.93F, 0, 5, 5, 5};
  auto const svg = m2u::conformer_svg(
      {.atomic_numbers = numbers, .positions = positions, .title = "water & helium"});
  CHECK(count(svg, "<circle") == 4);
  CHECK(count(svg, "<path") == 2);
  CHECK(count(svg, "water &amp; helium") == 1);
  CHECK(svg.find("nan") == std::string::npos);
  auto const one = m2u::conformer_svg(
      {.atomic_numbers = std::vector{6}, .positions = std::vector<float>{1, 2, 3}});
  CHECK(count(one, "<circle") == 1);
  CHECK(one.find("nan") == std::string::npos);
  CHECK_THROWS_AS(m2u::conformer_svg({.atomic_numbers = numbers}), m2u::Error);
}

TEST_CASE("a conformer is seen from the side that shows most of it", "[report]") {
  // A bar along z: its ends are far apart in the picture.
  auto const view = m2u::detail::principal_view(std::vector<float>{0, 0, -3, 0, 0, 0, 0, 0, 3});
  CHECK(std::abs(std::abs(view[0][0] - view[2][0]) - 6.0) < 1e-9);
}

TEST_CASE("a conformer is turned, never mirrored", "[report]") {
  auto const volume = [](auto const& at) {  // of the tetrahedron, with its sign
    double a[3][3];
    for (int k = 0; k < 3; ++k) {
      for (int axis = 0; axis < 3; ++axis) {
        a[k][axis] = at(k + 1, axis) - at(0, axis);
      }
    }
    return a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) -
           a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
           a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
  };
  for (int mirrored = 0; mirrored < 2; ++mirrored) {
    float const z = mirrored == 1 ? -3.0F : 3.0F;
    std::vector<float> const positions{0, 0, 0, 1, 0.2F, 0, 0.1F, 2, 0, 0.3F, 0.4F, z};
    auto const view = m2u::detail::principal_view(positions);
    double const before = volume([&](int i, int axis) {
      return static_cast<double>(positions[static_cast<std::size_t>(3 * i + axis)]);
    });
    double const after = volume([&](int i, int axis) {
      return view[static_cast<std::size_t>(i)][static_cast<std::size_t>(axis)];
    });
    CHECK(std::abs(before - after) < 1e-5);
  }
}
