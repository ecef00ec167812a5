// SPDX-License-Identifier: Apache-2.0
/// @file
/// The safetensors format (https://github.com/huggingface/safetensors): 8 bytes of header size, a
/// JSON header, then the tensors without gaps. Files come from anywhere, so nothing in them is
/// trusted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "m2u/core/config.hpp"
#include "m2u/core/error.hpp"
#include "m2u/core/file.hpp"
#include "m2u/parameters/named_tensor.hpp"
#include "m2u/parameters/number_types.hpp"

namespace m2u {

/// What a file says about one tensor.
struct TensorInfo {
  std::string type;  ///< "F32", "I64", …
  std::vector<std::int64_t> shape;
  std::size_t begin = 0;  ///< bytes from the start of the file
  std::size_t end = 0;
};

/// A safetensors file, mapped. All sizes, types and offsets are checked when it is opened.
class SafetensorsFile {
 public:
  /// @throws Error naming the file and what is wrong with it.
  explicit SafetensorsFile(std::filesystem::path path);

  std::filesystem::path const& path() const { return path_; }
  /// Names in alphabetical order.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (auto const& [name, info] : tensors_) {
      result.push_back(name);
    }
    return result;
  }
  bool contains(std::string const& name) const { return tensors_.contains(name); }
  std::map<std::string, std::string> const& metadata() const { return metadata_; }

  /// @throws Error if there is no such tensor.
  TensorInfo const& info(std::string const& name) const {
    auto const found = tensors_.find(name);
    expects(found != tensors_.end(), path_.string(), " has no tensor \"", name, "\"");
    return found->second;
  }
  /// The tensor as it lies in the file.
  std::span<std::byte const> bytes(std::string const& name) const {
    auto const& entry = info(name);
    return file_.bytes().subspan(entry.begin, entry.end - entry.begin);
  }

  /// Whether `tensor` reads it.
  static bool holds_floats(TensorInfo const& info) {
    return info.type == "F32" || info.type == "F64" || info.type == "F16" || info.type == "BF16";
  }

  /// A tensor of F32, F64, F16 or BF16, as floats. @throws Error if it is of another type.
  NamedTensor tensor(std::string const& name) const {
    auto const& entry = info(name);
    auto const elements =
        bytes(name).size() / std::max<std::size_t>(1, detail::type_size(entry.type));
    NamedTensor result{name, entry.shape, std::vector<float>(elements)};
    read_floats(name, result.values);
    return result;
  }

  /// The same into `values`, which has the tensor's size.
  void read_floats(std::string const& name, std::span<float> values) const {
    auto const& type = info(name).type;
    expects(detail::read_floats(type, bytes(name), values), path_.string(), ": the tensor \"", name,
            "\" is of type ", type, ", which is not read as floats (F32, F64, F16 and BF16 are)");
  }

  /// The elements of a tensor of I64, I32 or U8. @throws Error if it is of another type.
  std::vector<std::int64_t> integers(std::string const& name) const {
    auto const& type = info(name).type;
    auto const widen = [](auto x) { return static_cast<std::int64_t>(x); };
    if (type == "I64") {
      return detail::convert_elements<std::int64_t, std::int64_t>(bytes(name), widen);
    }
    if (type == "U8") {
      return detail::convert_elements<std::uint8_t, std::int64_t>(bytes(name), widen);
    }
    expects(type == "I32", path_.string(), ": the tensor \"", name, "\" is of type ", type,
            ", which is not read as integers (I64, I32 and U8 are)");
    return detail::convert_elements<std::int32_t, std::int64_t>(bytes(name), widen);
  }

 private:
  template <class... Parts>
  void check(bool condition, Parts const&... parts) const {
    expects(condition, path_.string(), " is not a valid safetensors file: ", parts...);
  }

  std::string_view find_header() const;

  nlohmann::json parse(std::string_view header) const;

  void read_metadata(nlohmann::json const& entry);

  void read_entry(std::string const& name, nlohmann::json const& entry, std::size_t data_start);

  std::uint64_t integer(nlohmann::json const& value, std::string const& name) const;

  /// The data must be covered without gaps and without overlap.
  void check_coverage(std::size_t data_start) const {
    std::vector<std::pair<TensorInfo const*, std::string const*>> order;
    for (auto const& [name, info] : tensors_) {
      order.emplace_back(&info, &name);
    }
    std::sort(order.begin(), order.end(), [](auto const& a, auto const& b) {
      return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
    });
    std::size_t at = data_start;
    for (auto const& [info, name] : order) {
      check(info->begin >= at, "the tensor \"", *name, "\" overlaps another");
      check(info->begin == at, "there is a gap before the tensor \"", *name, "\"");
      at = info->end;
    }
    check(at == file_.bytes().size(), file_.bytes().size() - at,
          " bytes at its end belong to no tensor");
  }

  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Writes tensors as F32 (and some as I64), in the given order, whole or not at all.
/// @throws Error if a name is taken or reserved, a shape does not fit, or the file can't be
/// written.
void write_safetensors(std::filesystem::path const& path, std::span<NamedTensor const> tensors,
                       std::map<std::string, std::string> const& metadata = {},
                       std::span<NamedIntegers const> integers = {});

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <nlohmann/json.hpp>
#include <set>

namespace m2u {

M2U_INLINE SafetensorsFile::SafetensorsFile(std::filesystem::path path)
    : path_(std::move(path)), file_(path_) {
  std::string_view const header = find_header();
  auto const json = parse(header);
  for (auto const& [name, entry] : json.items()) {
    if (name == "__metadata__") {
      read_metadata(entry);
    } else {
      read_entry(name, entry, 8 + header.size());
    }
  }
  check_coverage(8 + header.size());
}

M2U_INLINE std::string_view SafetensorsFile::find_header() const {
  constexpr std::uint64_t largest = 100'000'000;  // as in the reference implementation
  auto const bytes = file_.bytes();
  check(bytes.size() >= 8, "it has ", bytes.size(), " bytes, but 8 hold the header's size alone");
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  check(size <= largest && size <= bytes.size() - 8, "its first 8 bytes announce a header of ",
        size, " bytes, but the file has ", bytes.size(),
        " bytes (truncated, or another kind of file)");
  return {reinterpret_cast<char const*>(bytes.data()) + 8, static_cast<std::size_t>(size)};
}

M2U_INLINE nlohmann::json SafetensorsFile::parse(std::string_view header) const {
  std::vector<std::set<std::string>> keys;  // of the objects around the current place
  auto const on_event = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) {
      keys.emplace_back();
      check(keys.size() <= 2, "its header has objects nested too deeply");
    } else if (event == Event::object_end) {
      keys.pop_back();
    } else if (event == Event::key) {
      auto const& key = parsed.get_ref<std::string const&>();
      check(keys.back().insert(key).second, "its header has the key \"", key, "\" twice");
    }
    return true;
  };
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(header, on_event);
  } catch (nlohmann::json::exception const& error) {
    check(false, "its header is not JSON (", error.what(), ")");
  }
  check(json.is_object(), "its header is not a JSON object");
  return json;
}

M2U_INLINE void SafetensorsFile::read_metadata(nlohmann::json const& entry) {
  check(entry.is_object(), "__metadata__ is not an object");
  for (auto const& [key, value] : entry.items()) {
    check(value.is_string(), "the metadata \"", key, "\" is not a string");
    metadata_[key] = value.template get<std::string>();
  }
}

M2U_INLINE void SafetensorsFile::read_entry(std::string const& name, nlohmann::json const& entry,
                                            std::size_t data_start) {
  check(entry.is_object() && entry.size() == 3 && entry.contains("dtype") &&
            entry.contains("shape") && entry.contains("data_offsets"),
        "the tensor \"", name, "\" needs dtype, shape and data_offsets and nothing else");
  constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
  TensorInfo info;
  check(entry["dtype"].is_string(), "the dtype of \"", name, "\" is not a string");
  info.type = entry["dtype"].template get<std::string>();
  std::uint64_t elements = detail::type_size(info.type);
  check(elements > 0, "the tensor \"", name, "\" is of the unknown type ", info.type);
  check(entry["shape"].is_array(), "the shape of \"", name, "\" is not an array");
  for (auto const& extent : entry["shape"]) {
    auto const value = integer(extent, name);
    check(value == 0 || elements <= largest / value, "the shape of \"", name, "\" overflows");
    elements *= value;
    info.shape.push_back(static_cast<std::int64_t>(value));
  }
  auto const& offsets = entry["data_offsets"];
  check(offsets.is_array() && offsets.size() == 2, "the data_offsets of \"", name,
        "\" are not two numbers");
  auto const begin = integer(offsets[0], name);
  auto const end = integer(offsets[1], name);
  auto const available = file_.bytes().size() - data_start;
  check(begin <= end && end <= available, "the tensor \"", name, "\" lies at bytes ", begin, " to ",
        end, " of the data, but there are ", available, " (is the file truncated?)");
  check(end - begin == elements, "the tensor \"", name, "\" has ", end - begin,
        " bytes, but its type and shape need ", elements);
  info.begin = data_start + static_cast<std::size_t>(begin);
  info.end = data_start + static_cast<std::size_t>(end);
  tensors_.emplace(name, std::move(info));
}

M2U_INLINE std::uint64_t SafetensorsFile::integer(nlohmann::json const& value,
                                                  std::string const& name) const {
  check(value.is_number_unsigned(), "a number of the tensor \"", name,
        "\" is not a non-negative integer: ", value.dump(-1, ' ', true));
  auto const result = value.template get<std::uint64_t>();
  check(result <= std::numeric_limits<std::int64_t>::max(), "a number of the tensor \"", name,
        "\" is too large: ", result);
  return result;
}

namespace detail {

/// Adds tensors of one type to a file's header; `offset` is where their data begins.
template <class T>
void describe(std::span<T const> tensors, char const* type, std::size_t& offset,
              nlohmann::json& header) {
  for (auto const& tensor : tensors) {
    std::size_t size = 1;
    for (auto const extent : tensor.shape) {
      size *= static_cast<std::size_t>(extent);
    }
    expects(size == tensor.values.size(), "write_safetensors: the shape of \"", tensor.name,
            "\" needs ", size, " values, but there are ", tensor.values.size());
    expects(tensor.name != "__metadata__" && !header.contains(tensor.name),
            "write_safetensors: the name \"", tensor.name, "\" is reserved or used twice");
    auto const end = offset + size * type_size(type);
    header[tensor.name] = {
        {"dtype", type}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
}

}  // namespace detail

M2U_INLINE void write_safetensors(std::filesystem::path const& path,
                                  std::span<NamedTensor const> tensors,
                                  std::map<std::string, std::string> const& metadata,
                                  std::span<NamedIntegers const> integers) {
  auto header = nlohmann::json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::size_t offset = 0;
  detail::describe(integers, "I64", offset, header);  // first, so that all data is aligned
  detail::describe(tensors, "F32", offset, header);
  std::string text;
  try {
    text = header.dump();
  } catch (nlohmann::json::exception const& error) {
    fail("cannot write ", path.string(), ": a name or the metadata is not UTF-8 (", error.what(),
         ")");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts aligned
  std::uint64_t const size = text.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&size, 1)));
  file.write(text);
  for (auto const& tensor : integers) {
    file.write(std::as_bytes(std::span(tensor.values)));
  }
  for (auto const& tensor : tensors) {
    file.write(std::as_bytes(std::span(tensor.values)));
  }
  file.commit();
}

}  // namespace m2u

#endif
