// SPDX-License-Identifier: Apache-2.0
// m2umol: prepare molecules, pre-train on their modalities, embed and retrieve.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <string_view>

#include <sched.h>

#include "m2u/core/devices.hpp"
#include "m2u/core/file.hpp"
#include "m2u/core/version.hpp"
#include "m2u/linalg/product_precision.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

void add_common(CLI::App& command, Common& common) {
  command.add_option("--threads", common.threads, "Threads to use (0: all that are available)")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_option("--seed", common.seed, "Seed of everything that is random")
      ->capture_default_str();
  command.add_option("--device", common.device, "Number of the GPU to use, in a build for GPUs");
  command
      .add_option("--products", common.products,
                  "Precision of a GPU's matrix products (full / tf32 / bf16, summed in FP32)")
      ->check(CLI::IsMember({"full", "tf32", "bf16"}))
      ->capture_default_str();
}

namespace {

/// A validator from a condition on numbers.
template <class Condition>
CLI::Validator number(std::string const& wanted, Condition condition) {
  auto const check = [wanted, condition](std::string& text) {
    char* end = nullptr;
    double const value = std::strtod(text.c_str(), &end);
    bool const whole = !text.empty() && end == text.c_str() + text.size();
    return whole && std::isfinite(value) && condition(value) ? std::string()
                                                             : text + " is not " + wanted;
  };
  return {check, ""};
}

}  // namespace

CLI::Validator above_zero() {
  return number("a number above 0", [](double x) { return x > 0.0; });
}
CLI::Validator not_below_zero() {
  return number("a number of at least 0", [](double x) { return x >= 0.0; });
}
CLI::Validator at_least_one() {
  constexpr double largest = std::numeric_limits<int>::max();
  return number("a whole number of at least 1",
                [](double x) { return x >= 1.0 && x <= largest && x == std::floor(x); });
}
CLI::Validator not_empty() {
  return {[](std::string& text) { return std::string(text.empty() ? "it is empty" : ""); }, ""};
}

void expect_writable(std::filesystem::path const& file) {
  m2u::expects(!std::filesystem::is_directory(file), "cannot write ", file.string(),
               ": it is a folder");
  m2u::AtomicFile const probe(file);  // without a commit it vanishes
}

void expect_writable_folder(std::filesystem::path const& folder) {
  std::error_code error;
  auto const target = std::filesystem::absolute(folder).lexically_normal();
  auto existing = target;
  while (!std::filesystem::exists(existing, error) && existing.has_relative_path()) {
    existing = existing.parent_path();
  }
  std::filesystem::create_directories(target, error);
  m2u::expects(std::filesystem::is_directory(target), "cannot make the folder ", folder.string(),
               ": ", error.message());
  {
    m2u::AtomicFile const probe(target / "probe");
  }
  for (auto made = target; made != existing; made = made.parent_path()) {
    std::filesystem::remove(made, error);
  }
}

namespace {

/// Processors that this process may run on.
int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

/// What would help where a device's memory was too little.
std::string memory_hint(std::exception const& error) {
  bool const memory =
      std::string_view(error.what()).find("insufficient memory") != std::string_view::npos;
  auto const free = memory ? m2u::free_device_memory() : std::nullopt;
  if (!free) {
    return {};
  }
  return "\nThe GPU has " + std::to_string(*free >> 20U) +
         " MiB left: use a smaller --batch, or another GPU (--device)";
}

int run(int argc, char** argv) {
  CLI::App program{"Multi-to-uni modal pre-training of molecules on Kokkos.\n"
                   "Typical use: prepare a table, pretrain on it, then embed or retrieve.",
                   "m2umol"};
  program.set_version_flag(
      "--version", std::string("m2umol ") + m2u::version + " (" + git_revision() + ", Kokkos " +
                       std::to_string(KOKKOS_VERSION / 10000) + "." +
                       std::to_string(KOKKOS_VERSION / 100 % 100) + ", " + Space::name() + ")");
  program.require_subcommand(1);
  program.footer("m2umol COMMAND --help tells each command's options.");
  Common common;
  Body body;
#if defined(M2UMOL_CHEM)
  add_prepare(program, common, body);
#endif
  add_pretrain(program, common, body);
  add_embed(program, common, body);
#if defined(M2UMOL_CHEM)
  add_index(program, common, body);
  add_retrieve(program, common, body);
  add_finetune(program, common, body);
  add_predict(program, common, body);
  add_evaluate_retrieval(program, common, body);
  add_evaluate(program, common, body);
  add_explain(program, common, body);
  add_report(program, common, body);
  add_probe(program, common, body);
  add_demo(program, common, body);
#endif
  add_import(program, common, body);
  add_export(program, common, body);
  try {
    program.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    auto const rest = program.remaining();
    if (program.get_subcommands().empty() && error.get_exit_code() != 0 && !rest.empty()) {
      std::cerr << "there is no command or option \"" << rest.front()
                << "\" here\nRun with --help for more information.\n";
      return error.get_exit_code();
    }
    return program.exit(error);
  }
  if (common.threads == 0) {
    common.threads = available_threads();
  }
  m2u::expect_device(m2u::find_devices(), common.device);
  Kokkos::InitializationSettings settings;
  settings.set_num_threads(common.threads);
  if (common.device) {
    settings.set_device_id(*common.device);
  }
  m2u::set_product_precision(common.products);
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
    std::cerr << "m2umol: error: " << error.what() << m2umol::memory_hint(error) << '\n';
    return 1;
  }
}
