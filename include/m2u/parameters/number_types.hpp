// SPDX-License-Identifier: Apache-2.0
/// @file
/// The number types of safetensors files.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string_view>
#include <vector>

namespace m2u {

namespace detail {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

/// Bytes per element of a safetensors type, 0 if unknown.
inline std::size_t type_size(std::string_view type) {
  static std::map<std::string_view, std::size_t> const sizes{
      {"F64", 8}, {"I64", 8}, {"U64", 8},  {"F32", 4},     {"I32", 4},
      {"U32", 4}, {"F16", 2}, {"BF16", 2}, {"I16", 2},     {"U16", 2},
      {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  auto const found = sizes.find(type);
  return found == sizes.end() ? 0 : found->second;
}

/// IEEE half precision, subnormal numbers included.
inline float half_to_float(std::uint16_t half) {
  std::uint32_t const sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
  std::uint32_t const exponent = (half >> 10U) & 0x1FU;
  std::uint32_t const fraction = half & 0x3FFU;
  if (exponent == 0) {
    float const magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  std::uint32_t const wide = exponent == 31 ? 255U : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23U) | (fraction << 13U));
}

/// Reads the elements of `bytes` as T and writes what `convert` makes of them.
template <class T, class Out, class Convert>
void convert_elements(std::span<std::byte const> bytes, Convert const& convert,
                      std::span<Out> result) {
  for (std::size_t i = 0; i < result.size(); ++i) {
    T element;  // the file gives no alignment
    std::memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
    result[i] = convert(element);
  }
}
template <class T, class Out, class Convert>
std::vector<Out> convert_elements(std::span<std::byte const> bytes, Convert const& convert) {
  std::vector<Out> result(bytes.size() / sizeof(T));
  convert_elements<T, Out>(bytes, convert, std::span<Out>(result));
  return result;
}

/// Reads elements of F32, F64, F16 or BF16 as floats. @return whether `type` is one of them.
inline bool read_floats(std::string_view type, std::span<std::byte const> bytes,
                        std::span<float> values) {
  if (type == "F32") {
    if (!values.empty()) {
      std::memcpy(values.data(), bytes.data(), std::min(bytes.size(), values.size_bytes()));
    }
  } else if (type == "F64") {
    convert_elements<double, float>(bytes, [](double x) { return static_cast<float>(x); }, values);
  } else if (type == "F16") {
    convert_elements<std::uint16_t, float>(bytes, half_to_float, values);
  } else if (type == "BF16") {
    convert_elements<std::uint16_t, float>(
        bytes,
        [](std::uint16_t x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16U); },
        values);
  } else {
    return false;
  }
  return true;
}

}  // namespace detail

}  // namespace m2u
