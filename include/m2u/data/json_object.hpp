// SPDX-License-Identifier: Apache-2.0
/// @file
/// JSON from files that are not trusted: every field is checked for presence, type and range.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/core/config.hpp"

namespace m2u {

/// @param what names the text in the message. @throws Error if it is not JSON.
nlohmann::json parse_json(std::string_view text, std::string const& what);

/// JSON as text. @throws Error if a string is not UTF-8.
std::string json_text(nlohmann::json const& value, std::string const& what, int indent = -1);

/// An object whose fields are asked for one by one. It refers to the JSON value, which must outlive
/// it.
class JsonObject {
 public:
  /// @param what names the object in messages. @throws Error if the value is not an object.
  JsonObject(nlohmann::json const& value, std::string what);

  std::string const& what() const { return what_; }
  bool has(char const* key) const;

  /// @throws Error if there is no such field.
  nlohmann::json const& field(char const* key) const;
  /// @throws Error unless the field is an integer in low … high.
  std::int64_t integer(char const* key, std::int64_t low = 0,
                       std::int64_t high = std::numeric_limits<std::int64_t>::max()) const;
  /// @throws Error unless the field is a string.
  std::string text(char const* key) const;
  /// @throws Error unless the field is an array.
  nlohmann::json const& array(char const* key) const;
  /// @throws Error unless the field is an array of integers in low … high.
  std::vector<int> integers(char const* key, int low,
                            int high = std::numeric_limits<int>::max()) const;

 private:
  std::int64_t checked(nlohmann::json const& value, std::string const& name, std::int64_t low,
                       std::int64_t high) const;

  nlohmann::json const* value_;
  std::string what_;
};

}  // namespace m2u

#if M2U_DEFINES_CORE

#include "m2u/core/error.hpp"

namespace m2u {

M2U_INLINE nlohmann::json parse_json(std::string_view text, std::string const& what) {
  try {
    return nlohmann::json::parse(text);
  } catch (nlohmann::json::exception const& error) {
    fail(what, " is not valid JSON: ", error.what());
  }
}

M2U_INLINE std::string json_text(nlohmann::json const& value, std::string const& what, int indent) {
  try {
    return value.dump(indent);
  } catch (nlohmann::json::exception const& error) {
    fail(what, " cannot be written as JSON: ", error.what());
  }
}

M2U_INLINE JsonObject::JsonObject(nlohmann::json const& value, std::string what)
    : value_(&value), what_(std::move(what)) {
  expects(value.is_object(), what_, " is not a JSON object");
}

M2U_INLINE bool JsonObject::has(char const* key) const { return value_->contains(key); }

M2U_INLINE nlohmann::json const& JsonObject::field(char const* key) const {
  auto const found = value_->find(key);
  expects(found != value_->end(), what_, " lacks the field \"", key, '"');
  return *found;
}

M2U_INLINE std::int64_t JsonObject::integer(char const* key, std::int64_t low,
                                            std::int64_t high) const {
  return checked(field(key), std::string("the field \"") + key + '"', low, high);
}

M2U_INLINE std::string JsonObject::text(char const* key) const {
  auto const& value = field(key);
  expects(value.is_string(), what_, ": the field \"", key, "\" is not a string");
  return value.get<std::string>();
}

M2U_INLINE nlohmann::json const& JsonObject::array(char const* key) const {
  auto const& value = field(key);
  expects(value.is_array(), what_, ": the field \"", key, "\" is not an array");
  return value;
}

M2U_INLINE std::vector<int> JsonObject::integers(char const* key, int low, int high) const {
  std::vector<int> result;
  for (auto const& value : array(key)) {
    result.push_back(
        static_cast<int>(checked(value, std::string("an element of \"") + key + '"', low, high)));
  }
  return result;
}

M2U_INLINE std::int64_t JsonObject::checked(nlohmann::json const& value, std::string const& name,
                                            std::int64_t low, std::int64_t high) const {
  bool const fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<std::uint64_t>() <=
                         static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  expects(fits && value.get<std::int64_t>() >= low && value.get<std::int64_t>() <= high, what_,
          ": ", name, " is not an integer in ", low, " … ", high);
  return value.get<std::int64_t>();
}

}  // namespace m2u

#endif
