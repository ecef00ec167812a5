// SPDX-License-Identifier: Apache-2.0
// m2umol: prepare molecules, pre-train on their modalities, embed and retrieve.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>

#include <sched.h>

#include "m2u/core/version.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

void add_common(CLI::App& command, Common& common) {
  command.add_option("--threads", common.threads, "Threads to use (0: all that are available)")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_option("--seed", common.seed, "Seed of everything that is random")->capture_default_str();
}

namespace {

/// Processors that this process may run on.
int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

int run(int argc, char** argv) {
  CLI::App program{"Multi-to-uni modal pre-training of molecules on Kokkos.\n"
                   "Typical use: prepare a table, pretrain on it, then embed or retrieve.",
                   "m2umol"};
  program.set_version_flag("--version", std::string("m2umol ") + m2u::version + " (" +
                                            M2U_GIT_REVISION + ", Kokkos " +
                                            std::to_string(KOKKOS_VERSION / 10000) + "." +
                                            std::to_string(KOKKOS_VERSION / 100 % 100) + ", " +
                                            Space::name() + ")");
  program.require_subcommand(1);
  program.footer("m2umol COMMAND --help tells each command's options.");
  Common common;
  Body body;
  add_prepare(program, common, body);
  add_pretrain(program, common, body);
  add_embed(program, common, body);
  add_retrieve(program, common, body);
  add_demo(program, common, body);
  try {
    program.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    return program.exit(error);
  }
  if (common.threads == 0) {
    common.threads = available_threads();
  }
  Kokkos::InitializationSettings settings;
  settings.set_num_threads(common.threads);
  settings.set_disable_warnings(true);  // of OMP_PROC_BIND: a hint that users need not see
  Kokkos::ScopeGuard const guard(settings);
  body();
  return 0;
}

}  // namespace

}  // namespace m2umol

int main(int argc, char** argv) {
  try {
    return m2umol::run(argc, argv);
  } catch (std::exception const& error) {
    std::cerr << "m2umol: error: " << error.what() << '\n';
    return 1;
  }
}
