// SPDX-License-Identifier: Apache-2.0
// m2u_parity: holds our model against recorded results of the published implementation.
#include <cstdio>
#include <exception>
#include <string_view>

#include "parity/golden.hpp"

namespace m2u::parity {

namespace {

constexpr char const* help =
    "usage: m2u_parity DIR\n\n"
    "Compares every tensor that DIR records of the published M2UMol with ours: inputs, layers,\n"
    "losses, gradients, running statistics, the fusion head and a full-size ComENet. DIR has a\n"
    "manifest.json (dims, batches, tensors, and comenet_full if there is one), "
    "weights.safetensors\n"
    "and the files that the manifest names.\n\n"
    "Prints a row per tensor, says of each that is not compared why, and ends with the line\n"
    "\"parity: N compared, M failed\". The exit code is 0 if all passed, 1 if one failed or was\n"
    "recorded but not compared without a reason, 2 if DIR can't be used.\n\n";

int run(int argc, char** argv) {
  if (argc != 2 || std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "-h") {
    bool const asked = argc == 2;
    std::fprintf(asked ? stdout : stderr, "%s%s", help, asked ? tolerance_text : "");
    return asked ? 0 : 2;
  }
  Folder const folder(argv[1]);
  Kokkos::InitializationSettings settings;
  settings.set_disable_warnings(true);
  Kokkos::ScopeGuard const guard(settings);
  Report report;
  for (auto const& batch : folder.batches) {
    Recorded recorded(batch.name, batch.file, folder.manifest.at("tensors"), report);
    auto const inputs = read_inputs(folder.dims, batch, recorded);
    compare_geometry(folder.dims, inputs, recorded);
    compare_pretraining(folder, inputs, recorded);
    compare_package(folder, inputs, recorded);
    recorded.finish();
  }
  compare_full_conformers(folder, report);
  return report.finish() ? 0 : 1;
}

}  // namespace

}  // namespace m2u::parity

int main(int argc, char** argv) {
  try {
    return m2u::parity::run(argc, argv);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "m2u_parity: error: %s\n", error.what());
    return 2;
  }
}
