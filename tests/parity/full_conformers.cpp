// SPDX-License-Identifier: Apache-2.0
// ComENet at its published size, with weights by the manifest's formula.
#include <cmath>
#include <map>

#include "m2u/parameters/save_load.hpp"
#include "m2umol/reference_weights.hpp"
#include "parity/golden.hpp"

namespace m2u::parity {

namespace {

struct Parameter {
  std::uint64_t number = 0;
  std::vector<std::int64_t> shape;
};

std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}

std::vector<float> formula(std::string const& name, Parameter const& parameter) {
  std::size_t size = 1;
  for (auto const extent : parameter.shape) {
    size *= static_cast<std::size_t>(extent);
  }
  double shift = 0.0;
  double factor = 0.05;
  if (name == "emb.emb.weight") {
    factor = std::sqrt(3.0);
  } else if (parameter.shape.size() == 2) {
    factor = std::sqrt(3.0 / static_cast<double>(parameter.shape[1]));
  } else if (name.ends_with("norm.weight") || name.ends_with("mean_scale")) {
    shift = 1.0;
    factor = 0.1;
  }
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) {
    double const u =
        static_cast<double>(splitmix64((parameter.number << 32U) + i) >> 40U) / 8388608.0 - 1.0;
    values[i] = static_cast<float>(shift + factor * u);
  }
  return values;
}

/// The encoder's sizes by the shapes of its parameters.
ComENetOptions options_of(std::map<std::string, Parameter> const& parameters) {
  auto const extent = [&](char const* name, std::size_t axis) {
    return static_cast<int>(parameters.at(name).shape.at(axis));
  };
  auto const count = [&](std::string const& before, std::string const& after) {
    int number = 0;
    while (parameters.contains(before + std::to_string(number) + after)) {
      ++number;
    }
    return number;
  };
  constexpr auto filter = "interaction_blocks.0.lin_feature1.lin1.weight";
  return {.width = extent("emb.emb.weight", 1),
          .middle = extent(filter, 0),
          .blocks = count("interaction_blocks.", ".lin.weight"),
          .radial = extent(filter, 1) / 4,
          .output_layers = count("lins.", ".weight"),
          .elements = extent("emb.emb.weight", 0),
          .out = extent("lin_out.weight", 0)};
}

std::vector<NamedTensor> assign_formula(std::vector<NamedTensor> ours,
                                        std::map<std::string, Parameter> parameters) {
  constexpr std::string_view start = "encoder3D.";
  for (auto const& reference :
       m2umol::reference_tensors(ours, m2umol::ReferenceForm::pretraining)) {
    auto const name = reference.name.substr(start.size());
    auto const found = parameters.extract(name);
    expects(!found.empty() && found.mapped().shape == reference.shape,
            "comenet_full: the manifest's params_in_order lacks ", name, " or has another shape");
    for (auto& tensor : ours) {
      if (tensor.name == reference.ours) {
        m2umol::put_reference(reference, formula(name, found.mapped()), tensor);
      }
    }
  }
  expects(parameters.empty(), "comenet_full: our encoder has no parameter ",
          parameters.empty() ? "" : parameters.begin()->first);
  return ours;
}

}  // namespace

void compare_full_conformers(Folder const& folder, Report& report) {
  if (!folder.manifest.contains("comenet_full")) {
    report.not_compared("comenet_full", "the folder has none");
    return;
  }
  auto const& manifest = folder.manifest.at("comenet_full");
  std::map<std::string, Parameter> parameters;
  for (auto const& entry : manifest.at("params_in_order")) {
    parameters[entry.at(0)] = {parameters.size(), entry.at(1)};
  }
  Recorded recorded("comenet_full", folder.path / manifest.at("file").get<std::string>(),
                    folder.manifest.at("tensors"), report);
  double const error = manifest.value("fp32_error", 0.0);
  recorded.set_reference_error("out", error);
  recorded.set_reference_error("out64", error);
  auto const options = options_of(parameters);
  ParameterLayout layout;
  ComENet const encoder(layout.scope("3d"), options);
  Parameters<Space> const theta(Space{}, layout, Seed{1});
  assign_parameters(theta, assign_formula(parameter_tensors(theta), parameters), "comenet_full");
  std::vector<int> edge_order;
  auto const batch = read_conformers(recorded, "in.batch", options, edge_order);
  Tape<Space> tape(Space{}, theta, Mode::evaluation);
  auto const atoms = encoder.atoms(tape, batch.conformers, {batch.angles, batch.torsions});
  auto const out = to_host(Space{}, pool(tape, atoms, batch.conformers.atoms, Pooling::sum).value);
  recorded.compare("out", out);
  recorded.compare("out64", out);
  recorded.finish();
}

}  // namespace m2u::parity
