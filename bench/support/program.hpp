// SPDX-License-Identifier: Apache-2.0
// What the benchmarks with options of their own share.
#pragma once

#include <exception>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "m2u/core/devices.hpp"
#include "m2u/linalg/product_precision.hpp"
#include "support/machine.hpp"

namespace bench {

/// Parses, starts Kokkos with the option `--threads`, runs. @return the exit status
template <class Body>
int run_program(CLI::App& program, int argc, char** argv, Body const& body) {
  int threads = 0;
  program.add_option("--threads", threads, "Threads (default: OMP_NUM_THREADS or all)")
      ->check(CLI::PositiveNumber);
  std::string products = "full";
  program.add_option("--products", products, "Of a GPU: full, tf32 or bf16")->capture_default_str();
  CLI11_PARSE(program, argc, argv);
  try {
    m2u::expect_device(m2u::find_devices(), {});
    m2u::set_product_precision(products);
    Kokkos::InitializationSettings settings;
    if (threads > 0) {
      settings.set_num_threads(threads);
    }
    settings.set_disable_warnings(true);
    Kokkos::ScopeGuard const guard(settings);
    body();
    return 0;
  } catch (std::exception const& error) {
    std::cerr << program.get_name() << ": error: " << error.what() << '\n';
    return 1;
  }
}

/// Prints a result as a line of JSON, or its keys below each other for reading.
inline void print_record(nlohmann::json const& record, bool as_json) {
  if (as_json) {
    std::cout << record.dump() << std::endl;
    return;
  }
  for (auto const& [key, value] : record.items()) {
    std::cout << "  " << key << std::string(key.size() < 24 ? 24 - key.size() : 1, ' ') << value
              << '\n';
  }
}

}  // namespace bench
