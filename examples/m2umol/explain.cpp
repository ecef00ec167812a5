// SPDX-License-Identifier: Apache-2.0
// m2umol explain: which atoms, bonds and groups of a molecule a model looks at.
#include "m2umol/explain.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "m2u/core/file.hpp"
#include "m2u/data/json_object.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

struct ExplainArguments {
  std::string model;
  std::string query;
  std::string method = "all";
  std::string groups = "both";
  std::string out;
  std::string json;
  int top = 8;
  ExplainOptions options;
};

/// Where each method's drawing goes: OUT.svg if there is one, else OUT/<method>.svg.
std::vector<fs::path> drawing_files(ExplainArguments const& arguments) {
  std::vector<fs::path> files;
  fs::path const out = arguments.out;
  bool const file = out.extension() == ".svg";
  m2u::expects(!file || arguments.options.methods.size() == 1, "--out ", arguments.out,
               " is one file, but ", arguments.options.methods.size(),
               " methods give a drawing each; name a folder, or one --method");
  for (auto const method : arguments.options.methods) {
    files.push_back(file ? out : out / (std::string(to_string(method)) + ".svg"));
  }
  return files;
}

void print_method(MethodExplanation const& method, Explanation const& explanation, int top) {
  auto const most = static_cast<std::size_t>(top);
  std::printf("\n%s\n%4s  %12s  %-9s  %s\n", to_string(method.method), "rank", "score", "kind",
              "group (atoms)");
  std::size_t rank = 0;
  for (auto const& group : method.groups) {
    if (++rank > most) {
      break;
    }
    std::string atoms;
    for (int const atom : group.atoms) {
      atoms += (atoms.empty() ? "" : " ") + std::to_string(atom);
    }
    std::printf("%4zu  %12.4g  %-9s  %s (%s)\n", rank, group.score, group.kind.c_str(),
                group.name.c_str(), atoms.c_str());
  }
  if (method.groups.empty()) {
    std::printf("      no group was found\n");
  }
  std::printf("%4s  %12s  %s\n", "rank", "relative", "atom");
  rank = 0;
  for (auto const atom : m2u::ranked(method.atoms)) {
    if (++rank > most) {
      break;
    }
    std::printf("%4zu  %12.3f  %s%zu\n", rank, method.atoms[atom],
                explanation.symbols[atom].c_str(), atom);
  }
}

void run_explain(ExplainArguments arguments) {
  auto& options = arguments.options;
  if (arguments.method != "all") {
    std::erase_if(options.methods,
                  [&](ExplainMethod method) { return arguments.method != to_string(method); });
  }
  options.hierarchy = arguments.groups != "brics";
  options.brics = arguments.groups != "hierarchy";
  std::vector<fs::path> files;
  if (!arguments.out.empty()) {
    files = drawing_files(arguments);
    if (fs::path(arguments.out).extension() == ".svg") {
      expect_writable(arguments.out);
    } else {
      expect_writable_folder(arguments.out);
    }
  }
  if (!arguments.json.empty()) {
    expect_writable(arguments.json);
  }
  auto const engine = Engine::load(arguments.model);
  auto const explanation = explain_molecule(engine, arguments.query, options);
  std::printf("%s: %s, %.5g\n", explanation.smiles.c_str(), explanation.target.c_str(),
              explanation.value);
  for (auto const& method : explanation.methods) {
    print_method(method, explanation, arguments.top);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].has_parent_path()) {
      fs::create_directories(files[i].parent_path());
    }
    m2u::write_file(files[i], explanation.methods[i].svg);
    std::printf("%sdrawing: %s\n", i == 0 ? "\n" : "", files[i].c_str());
  }
  if (!arguments.json.empty()) {
    m2u::write_file(arguments.json, m2u::json_text(to_json(explanation), arguments.json, 1) + "\n");
    std::printf("numbers: %s\n", arguments.json.c_str());
  }
}

}  // namespace

void add_explain(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "explain", "Show which atoms, bonds and functional groups of a molecule matter to a model");
  auto const arguments = std::make_shared<ExplainArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--query", a.query, "SMILES of the molecule")->required();
  command->add_option("--method", a.method, "How importance is measured")
      ->check(CLI::IsMember({"attention", "gradient", "masking", "all"}))
      ->capture_default_str();
  auto* const of = command
                       ->add_option("--of", a.options.target.of,
                                    "Explain the 2D vector or one that is generated from it")
                       ->check(CLI::IsMember({"2d", "3d", "text", "bio"}))
                       ->capture_default_str();
  command->add_option("--task", a.options.target.task, "Explain this task of a fine-tuned model")
      ->check(not_empty())
      ->excludes(of);
  command
      ->add_option("--groups", a.groups,
                   "Functional groups and rings, BRICS fragments, or both in one list")
      ->check(CLI::IsMember({"hierarchy", "brics", "both"}))
      ->capture_default_str();
  command->add_option("--top", a.top, "How many groups and atoms are printed")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--out", a.out, "Folder for a drawing per method, or a file .svg")
      ->check(not_empty());
  command->add_option("--json", a.json, "File for all numbers")->check(not_empty());
  add_common(*command, common);
  command->callback([arguments, &body] { body = [arguments] { run_explain(*arguments); }; });
}

}  // namespace m2umol
