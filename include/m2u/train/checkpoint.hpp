// SPDX-License-Identifier: Apache-2.0
/// @file
/// The state of a training run in one file, so that a killed run ends with the same bits as one
/// that was not.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "m2u/core/config.hpp"
#include "m2u/parameters/content_sum.hpp"
#include "m2u/parameters/save_load.hpp"
#include "m2u/train/info.hpp"

namespace m2u {

namespace detail {

inline constexpr char const* checkpoint_format = "m2u checkpoint 1";

/// How two configurations differ. Of JSON objects only fields that are not the same are shown, and
/// not too many: they may hold whole vocabularies.
std::string difference(std::string const& saved, std::string const& now);

/// A checkpoint that was opened and found undamaged.
class CheckpointFile {
 public:
  explicit CheckpointFile(std::filesystem::path const& path);

  SafetensorsFile const& tensors() const { return file_; }
  std::string text(std::string const& key) const;
  std::uint64_t number(std::string const& key, std::uint64_t largest) const;

 private:
  SafetensorsFile file_;
};

}  // namespace detail

/// Writes a run's state, atomically: parameters as "values.NAME", state as "state.NAME", the
/// optimiser's buffers whole as "optimiser.NAME", the rest as metadata. Waits for the space.
template <ExecutionSpace S>
void save_checkpoint(std::filesystem::path const& path, TrainingState<S> const& state) {
  auto const& layout = state.theta.layout();
  std::vector<NamedTensor> tensors;
  detail::append_tensors("values.", layout.parameters(), to_host(state.space, state.theta.values()),
                         tensors);
  detail::append_tensors("state.", layout.state(), to_host(state.space, state.theta.state()),
                         tensors);
  for (auto const& [name, buffer] : state.optimiser->buffers) {
    auto values = to_host(state.space, buffer);
    auto const size = static_cast<std::int64_t>(values.size());
    tensors.push_back({"optimiser." + name, {size}, std::move(values)});
  }
  std::map<std::string, std::string> metadata{
      {"format", detail::checkpoint_format},
      {"epoch", std::to_string(state.epoch)},
      {"step", std::to_string(state.step)},
      {"optimiser", state.optimiser->name},
      {"optimiser steps", std::to_string(state.optimiser->steps)}};
  for (auto const& [key, value] : state.configuration) {
    metadata["must agree: " + key] = value;
  }
  add_content_sum(tensors, metadata);
  write_safetensors(path, tensors, metadata);
}

/// Restores what save_checkpoint wrote. Nothing is changed unless everything fits.
/// @throws Error naming the file and what is wrong: damaged, for another model or optimiser (every
/// tensor that does not fit is listed), or from a run with another configuration.
template <ExecutionSpace S>
void load_checkpoint(std::filesystem::path const& path, TrainingState<S>& state) {
  detail::CheckpointFile const file(path);
  for (auto const& [key, value] : state.configuration) {
    auto const saved = file.text("must agree: " + key);
    expects(saved == value, path.string(), " is of a run with another ", key, ": ",
            detail::difference(saved, value),
            ". Resume with the same one, or start afresh elsewhere.");
  }
  auto const& layout = state.theta.layout();
  auto& optimiser = *state.optimiser;
  expects(file.text("optimiser") == optimiser.name, path.string(),
          " is of a run with the optimiser ", file.text("optimiser"), ", but now it is ",
          optimiser.name);
  detail::TensorCollector collector(file.tensors());
  auto const values = collector.take("values.", layout.parameters(), layout.parameter_size());
  auto const model_state = collector.take("state.", layout.state(), layout.state_size());
  std::vector<std::vector<float>> buffers;
  for (auto const& [name, buffer] : optimiser.buffers) {
    auto const extent = static_cast<int>(buffer.extent(0));
    LayoutEntry const entry{name, {extent}, {0, 1, extent}, {}};
    buffers.push_back(collector.take("optimiser.", {entry}, buffer.extent(0)));
  }
  auto const problems = collector.problems();
  expects(problems.empty(), path.string(), " does not fit the model or the optimiser:", problems);
  auto const epoch = file.number("epoch", 1U << 30U);
  auto const step = file.number("step", 1ULL << 60U);
  auto const steps = file.number("optimiser steps", 1ULL << 60U);
  from_host(state.space, std::span<float const>(values), state.theta.values());
  from_host(state.space, std::span<float const>(model_state), state.theta.state());
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    from_host(state.space, std::span<float const>(buffers[i]), optimiser.buffers[i].second);
  }
  state.epoch = static_cast<int>(epoch);
  state.step = step;
  optimiser.steps = static_cast<std::int64_t>(steps);
}

struct CheckpointOptions {
  int every = 1;           ///< epochs between checkpoints; the last epoch always has one
  int keep = 2;            ///< files: the newest and those before it
  bool overwrite = false;  ///< let a new run replace the checkpoints of another
};

/// Callback that keeps a run's state in DIR/checkpoint.safetensors, the ones before it in
/// DIR/checkpoint.1.safetensors and so on. With FitOptions::resume the run goes on from the newest;
/// without, a folder that holds a checkpoint is an error, so that no run is lost by mistake.
class Checkpoints {
 public:
  explicit Checkpoints(std::filesystem::path folder, CheckpointOptions const& options = {});

  /// The file `age` checkpoints before the newest.
  std::filesystem::path file(int age = 0) const;

  /// Restores the newest checkpoint if there is one. @return whether it did.
  /// @throws Error if it is damaged or does not fit, or if there is one although `resume` is false.
  template <ExecutionSpace S>
  bool begin(TrainingState<S>& state, bool resume) {
    make_folder();
    bool const found = std::filesystem::exists(file());
    if (!found || !resume) {
      expects(!found || options_.overwrite, folder_.string(),
              " holds the checkpoint of another run. Set FitOptions::resume to go on with it, "
              "CheckpointOptions::overwrite to replace it, or use another folder.");
      return false;
    }
    try {
      load_checkpoint(file(), state);
    } catch (Error const& error) {
      std::string const reason = error.what();
      expects(std::filesystem::exists(file(1)), reason);
      fail(reason, reason.ends_with('.') ? "" : ".", " The checkpoint before it is ",
           file(1).string(), ".");
    }
    saved_epoch_ = state.epoch;
    return true;
  }

  template <ExecutionSpace S>
  void save(TrainingState<S> const& state, bool last) {
    if (!last && state.epoch % options_.every != 0) {
      return;
    }
    rotate();
    save_checkpoint(file(), state);
    saved_epoch_ = state.epoch;
  }

  std::string last_good() const;

 private:
  void make_folder() const;

  // Gives the newest file a second name. It keeps the first until the new one takes it by a rename,
  // so a kill at any moment leaves a whole checkpoint there.
  void rotate() const;

  std::filesystem::path folder_;
  CheckpointOptions options_;
  int saved_epoch_ = 0;
};

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <charconv>
#include <nlohmann/json.hpp>

namespace m2u {

namespace detail {

M2U_INLINE std::string difference(std::string const& saved, std::string const& now) {
  auto const quoted = [](std::string const& text) { return '"' + text + '"'; };
  auto const before = nlohmann::json::parse(std::string_view(saved), nullptr, false);
  auto const after = nlohmann::json::parse(std::string_view(now), nullptr, false);
  if (!before.is_object() || !after.is_object()) {
    return quoted(saved) + ", but now it is " + quoted(now);
  }
  auto const from = before.flatten();  // "/model/width": 64
  auto const to = after.flatten();
  auto fields = from;
  fields.update(to);
  auto const value = [](nlohmann::json const& flat, std::string const& field) {
    return flat.contains(field) ? flat[field].dump(-1, ' ', true) : std::string("nothing");
  };
  std::string text;
  int differing = 0;
  constexpr int most = 4;
  for (auto const& [field, ignored] : fields.items()) {
    auto const was = value(from, field);
    auto const is = value(to, field);
    if (was != is && ++differing <= most) {
      text +=
          (differing == 1 ? "" : "; ") + field.substr(1) + " was " + was + ", but now it is " + is;
    }
  }
  return differing <= most ? text : text + "; and " + std::to_string(differing - most) + " more";
}

M2U_INLINE CheckpointFile::CheckpointFile(std::filesystem::path const& path) : file_(path) {
  auto const& metadata = file_.metadata();
  auto const format = metadata.find("format");
  expects(format != metadata.end() && format->second == checkpoint_format, path.string(),
          " is not a checkpoint that this version reads (\"", checkpoint_format, "\")");
  text(content_sum_key);  // an Error if it is missing
  check_content_sum(file_);
}

M2U_INLINE std::string CheckpointFile::text(std::string const& key) const {
  auto const found = file_.metadata().find(key);
  expects(found != file_.metadata().end(), file_.path().string(), " has no entry \"", key, "\"");
  return found->second;
}

M2U_INLINE std::uint64_t CheckpointFile::number(std::string const& key,
                                                std::uint64_t largest) const {
  auto const value = text(key);
  std::uint64_t result = 0;
  auto const [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  expects(error == std::errc() && end == value.data() + value.size() && result <= largest,
          file_.path().string(), ": the entry \"", key, "\" is not a usable number: ", value);
  return result;
}

}  // namespace detail

M2U_INLINE Checkpoints::Checkpoints(std::filesystem::path folder, CheckpointOptions const& options)
    : folder_(std::move(folder)), options_(options) {
  expects(options.every > 0 && options.keep > 0, "Checkpoints: every and keep must be positive");
}

M2U_INLINE std::filesystem::path Checkpoints::file(int age) const {
  return folder_ / (age == 0 ? std::string("checkpoint.safetensors")
                             : "checkpoint." + std::to_string(age) + ".safetensors");
}

M2U_INLINE std::string Checkpoints::last_good() const {
  return saved_epoch_ == 0 ? "There is no checkpoint yet."
                           : "The last good checkpoint, after epoch " +
                                 std::to_string(saved_epoch_) + ", is " + file().string() + ".";
}

M2U_INLINE void Checkpoints::make_folder() const {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  expects(std::filesystem::is_directory(folder_), "Checkpoints: cannot make the folder ",
          folder_.string(), ": ", error.message());
  remove_unfinished(file());
}

M2U_INLINE void Checkpoints::rotate() const {
  if (!std::filesystem::exists(file()) || options_.keep == 1) {
    return;
  }
  std::error_code error;
  for (int age = options_.keep - 1; age > 1; --age) {
    std::filesystem::rename(file(age - 1), file(age), error);
  }
  std::filesystem::remove(file(1), error);
  std::filesystem::create_hard_link(file(), file(1), error);
  if (error) {  // a file system without links
    std::filesystem::copy_file(file(), file(1), std::filesystem::copy_options::overwrite_existing,
                               error);
  }
  expects(!error, "Checkpoints: cannot keep ", file(1).string(), ": ", error.message());
}

}  // namespace m2u

#endif
