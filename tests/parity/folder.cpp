// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include "m2u/core/error.hpp"
#include "parity/golden.hpp"

namespace m2u::parity {

namespace {

namespace fs = std::filesystem;

nlohmann::json read_json(fs::path const& path) {
  std::ifstream stream(path);
  expects(stream.good(), "cannot read ", path.string());
  return nlohmann::json::parse(stream);
}

Dims read_dims(nlohmann::json const& json) {
  auto const& conformers = json.at("comenet");
  expects(conformers.value("num_spherical", 2) == 2, "the recorded ComENet has num_spherical ",
          conformers.value("num_spherical", 2), ", but ours has 2");
  return {.width = json.at("channels"),
          .layers = json.at("layers"),
          .heads = json.at("heads"),
          .encoding_steps = json.at("pe"),
          .encoding_width = json.at("pe_dim"),
          .text = json.at("text"),
          .bio = json.at("bio"),
          .conformers = {.width = conformers.at("hidden_channels"),
                         .middle = conformers.at("middle_channels"),
                         .blocks = conformers.at("num_layers"),
                         .radial = conformers.at("num_radial"),
                         .output_layers = conformers.at("num_output_layers"),
                         .cutoff = conformers.at("cutoff"),
                         .out = conformers.at("out_channels")}};
}

}  // namespace

Folder::Folder(fs::path folder) : path(std::move(folder)) {
  expects(fs::is_directory(path), path.string(), " is not a folder");
  auto const file = [&](std::string const& name) {
    expects(fs::exists(path / name), (path / name).string(), " is not there");
    return path / name;
  };
  auto const manifest_file = file("manifest.json");
  weights = file("weights.safetensors");
  try {
    manifest = read_json(manifest_file);
    dims = read_dims(manifest.at("dims"));
    expects(manifest.at("tensors").is_object(), manifest_file.string(),
            ": \"tensors\" is not an object");
    for (auto const& [name, batch] : manifest.at("batches").items()) {
      batches.push_back({name, file(batch.at("file")), batch.at("smiles")});
    }
    if (manifest.contains("comenet_full")) {
      file(manifest.at("comenet_full").at("file"));
    }
  } catch (nlohmann::json::exception const& error) {
    fail(manifest_file.string(), ": ", error.what());
  }
  expects(!batches.empty(), manifest_file.string(), " lists no batches");
}

}  // namespace m2u::parity
