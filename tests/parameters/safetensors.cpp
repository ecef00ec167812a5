// SPDX-License-Identifier: Apache-2.0
#include "m2u/parameters/safetensors.hpp"

#include <cstdlib>
#include <limits>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "data/temporary_folder.hpp"
#include "m2u/parameters/save_load.hpp"
#include "support/spaces.hpp"

using Catch::Matchers::ContainsSubstring;
using m2u::NamedTensor;
using m2u::SafetensorsFile;
using m2u::test::TemporaryFolder;

namespace {

/// A file with this header and so many bytes of data.
std::string file_text(std::string const& header, std::size_t data) {
  std::uint64_t const size = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &size, 8);
  return text + header + std::string(data, '\1');
}

std::string entry(char const* name, char const* type, char const* shape, char const* offsets) {
  return std::string("\"") + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

}  // namespace

TEST_CASE("safetensors: what is written is read", "[safetensors]") {
  TemporaryFolder const folder;
  std::vector<NamedTensor> const tensors{
      {"b", {2, 3}, {1, -2, 3.5F, 0, std::numeric_limits<float>::infinity(), 1e-40F}},
      {"a.ä \"", {}, {7}},
      {"none", {0, 4}, {}}};
  m2u::write_safetensors(folder / "f", tensors, {{"epoch", "3"}, {"", "empty key"}});
  SafetensorsFile const file(folder / "f");
  CHECK(file.names() == std::vector<std::string>{"a.ä \"", "b", "none"});
  CHECK(file.metadata().at("epoch") == "3");
  CHECK(file.metadata().at("") == "empty key");
  for (auto const& tensor : tensors) {
    auto const read = file.tensor(tensor.name);
    CHECK(read.shape == tensor.shape);
    CHECK(read.values == tensor.values);
  }
  std::vector<m2u::NamedIntegers> const integers{{"count", {}, {-5}}, {"two", {2}, {1LL << 40, 0}}};
  m2u::write_safetensors(folder / "i", tensors, {}, integers);
  SafetensorsFile const mixed(folder / "i");
  CHECK(mixed.tensor("b").values == tensors[0].values);
  for (auto const& tensor : integers) {
    CHECK(mixed.info(tensor.name).type == "I64");
    CHECK(mixed.info(tensor.name).shape == tensor.shape);
    CHECK(mixed.integers(tensor.name) == tensor.values);
  }
  CHECK_THROWS_WITH(
      m2u::write_safetensors(folder / "g", {{{"a", {}, {1}}}}, {}, {{{"a", {}, {1}}}}),
      ContainsSubstring("twice"));
  CHECK_THROWS_WITH(file.tensor("c"), ContainsSubstring("has no tensor \"c\""));
  CHECK_THROWS_WITH(file.integers("b"), ContainsSubstring("F32"));
  CHECK_THROWS_AS(m2u::write_safetensors(folder / "g", {{{"a", {2}, {1}}}}), m2u::Error);
  CHECK_THROWS_WITH(m2u::write_safetensors(folder / "g", {{{"a", {}, {1}}, {"a", {}, {1}}}}),
                    ContainsSubstring("twice"));
  CHECK_THROWS_WITH(m2u::write_safetensors(folder / "g", {{{"\xff", {}, {1}}}}),
                    ContainsSubstring("UTF-8"));
  CHECK_FALSE(std::filesystem::exists(folder / "g"));
}

TEST_CASE("safetensors: half precision is widened exactly", "[safetensors]") {
  CHECK(m2u::detail::half_to_float(0x3C00) == 1.0F);
  CHECK(m2u::detail::half_to_float(0xC000) == -2.0F);
  CHECK(m2u::detail::half_to_float(0x7BFF) == 65504.0F);
  CHECK(m2u::detail::half_to_float(0x0001) == 0x1p-24F);
  CHECK(m2u::detail::half_to_float(0x83FF) == -1023.0F * 0x1p-24F);
  CHECK(std::signbit(m2u::detail::half_to_float(0x8000)));
  CHECK(m2u::detail::half_to_float(0xFC00) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(m2u::detail::half_to_float(0x7E00)));
}

TEST_CASE("safetensors: wrong files are refused by name and reason", "[safetensors]") {
  TemporaryFolder const folder;
  auto const refused = [&](std::string const& text, char const* reason) {
    auto const path = folder.write("bad.safetensors", text);
    INFO(text);
    CHECK_THROWS_WITH(SafetensorsFile(path),
                      ContainsSubstring("bad.safetensors") && ContainsSubstring(reason));
  };
  auto const good = "{" + entry("x", "F32", "[2]", "[0,8]") + "}";
  CHECK_NOTHROW(SafetensorsFile(folder.write("good", file_text(good, 8))));
  refused("", "0 bytes");
  refused("1234567", "7 bytes");
  refused(std::string(8, '\xff'), "announce a header of 18446744073709551615");
  refused(file_text(good, 8).substr(0, 20), "announce a header");
  refused(file_text(good, 7), "there are 7");
  refused(file_text(good, 9), "1 bytes at its end");
  refused(file_text("[]", 0), "not a JSON object");
  refused(file_text("{\"x\":", 0), "not JSON");
  refused(file_text("{\"x\":3}", 0), "needs dtype");
  refused(file_text("{\"__metadata__\":{\"a\":1}}", 0), "not a string");
  refused(file_text("{\"__metadata__\":{\"a\":{\"b\":{}}}}", 0), "nested");
  refused(file_text("{" + entry("x", "Q8", "[8]", "[0,8]") + "}", 8), "unknown type Q8");
  refused(file_text("{" + entry("x", "F32", "[3]", "[0,8]") + "}", 8), "need 12");
  refused(file_text("{" + entry("x", "F32", "[-2]", "[0,8]") + "}", 8), "-2");
  refused(file_text("{" + entry("x", "F32", "[2.0]", "[0,8]") + "}", 8), "2.0");
  refused(file_text("{" + entry("x", "F32", "2", "[0,8]") + "}", 8), "not an array");
  refused(file_text("{" + entry("x", "F32", "[4294967296,4294967296]", "[0,8]") + "}", 8),
          "overflows");
  refused(file_text("{" + entry("x", "F32", "[18446744073709551615]", "[0,8]") + "}", 8),
          "too large");
  refused(file_text("{" + entry("x", "F32", "[2]", "[8,0]") + "}", 8), "bytes 8 to 0");
  refused(file_text("{" + entry("x", "F32", "[2]", "[0]") + "}", 8), "not two numbers");
  auto const two = [](char const* second) {
    return "{" + entry("x", "F32", "[2]", "[0,8]") + "," + entry("y", "F32", "[1]", second) + "}";
  };
  refused(file_text(two("[4,8]"), 8), "overlaps");
  refused(file_text(two("[12,16]"), 16), "gap");
  refused(file_text("{" + entry("x", "F32", "[1]", "[0,4]") + "," +
                        entry("x", "F32", "[1]", "[4,8]") + "}",
                    8),
          "the key \"x\" twice");
  CHECK_THROWS_WITH(SafetensorsFile(folder / "absent"), ContainsSubstring("absent"));
}

TEST_CASE("safetensors: a damaged file never crashes the reader", "[safetensors]") {
  TemporaryFolder const folder;
  m2u::write_safetensors(folder / "f", {{{"one", {3}, {1, 2, 3}}, {"two", {2, 1}, {4, 5}}}},
                         {{"key", "value"}});
  auto const whole = m2u::test::read_bytes(folder / "f");
  auto const open = [&](std::string const& text) {
    std::filesystem::remove(folder / "damaged");  // truncating it would wait for the disk
    try {
      SafetensorsFile const file(folder.write("damaged", text));
      for (auto const& name : file.names()) {
        CHECK(file.bytes(name).size() <= text.size());
      }
    } catch (m2u::Error const&) {  // refusing is fine
    }
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    open(whole.substr(0, i));
    for (int const flip : {1, 2, 16, 128, 255}) {
      auto damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      open(damaged);
    }
  }
}

TEST_CASE("safetensors: Python's package reads our files, and we its", "[safetensors]") {
  if (std::system("python3 -c 'import numpy, safetensors.numpy' 2>/dev/null") != 0) {
    SKIP("python3 with the packages numpy and safetensors is not here");
  }
  TemporaryFolder const folder;
  m2u::write_safetensors(folder / "ours",
                         {{{"w", {2, 2}, {1, 2, 3, -4.5F}}, {"s", {}, {0.25F}}, {"e", {0}, {}}}},
                         {{"k", "v"}});
  auto const script = folder.write("check.py", R"(
import sys, numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
ours = load_file(sys.argv[1])
assert ours["w"].tolist() == [[1, 2], [3, -4.5]] and ours["w"].dtype == np.float32
assert ours["s"].shape == () and ours["s"] == 0.25 and ours["e"].shape == (0,)
with safe_open(sys.argv[1], framework="np") as file:
    assert file.metadata() == {"k": "v"}
save_file({"f32": np.array([[1, 2.5]], np.float32), "f64": np.array([0.1]),
           "f16": np.array([1.5, -2], np.float16), "i64": np.array([[2**40], [-1]]),
           "i32": np.array([7, -8], np.int32), "u8": np.array([1], np.uint8),
           "empty": np.zeros((3, 0), np.float32)}, sys.argv[2], metadata={"from": "python"})
)");
  auto const command = "python3 '" + script.string() + "' '" + (folder / "ours").string() + "' '" +
                       (folder / "theirs").string() + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  SafetensorsFile const file(folder / "theirs");
  CHECK(file.names().size() == 7);
  CHECK(file.metadata().at("from") == "python");
  CHECK(file.tensor("f32").shape == std::vector<std::int64_t>{1, 2});
  CHECK(file.tensor("f32").values == std::vector<float>{1, 2.5F});
  CHECK(file.tensor("f64").values == std::vector<float>{0.1F});
  CHECK(file.tensor("f16").values == std::vector<float>{1.5F, -2});
  CHECK(file.integers("i64") == std::vector<std::int64_t>{std::int64_t{1} << 40, -1});
  CHECK(file.integers("i32") == std::vector<std::int64_t>{7, -8});
  CHECK(file.info("u8").type == "U8");
  CHECK_THROWS_WITH(file.tensor("u8"), ContainsSubstring("U8"));
  CHECK(file.tensor("empty").shape == std::vector<std::int64_t>{3, 0});
}

TEMPLATE_LIST_TEST_CASE("parameters and state are saved and loaded by name", "[save_load]",
                        m2u::test::Spaces) {
  using S = TestType;
  TemporaryFolder const folder;
  m2u::ParameterLayout layout;
  auto const scope = layout.scope("hub");
  scope.matrix("weight", 3, 50, m2u::Initialiser::normal(1));
  scope.vector("bias", 3, m2u::Initialiser::normal(1));
  scope.state("mean", 5, 0.5F);
  m2u::Parameters<S> const from(S{}, layout, m2u::Seed{1});
  m2u::Parameters<S> const to(S{}, layout, m2u::Seed{2});
  Kokkos::deep_copy(to.state(), 9.0F);
  m2u::save_parameters(folder / "p", from, {{"model", "toy"}});
  REQUIRE(m2u::to_host(S{}, from.values()) != m2u::to_host(S{}, to.values()));
  CHECK(m2u::load_parameters(folder / "p", to).at("model") == "toy");
  CHECK(m2u::to_host(S{}, from.values()) == m2u::to_host(S{}, to.values()));
  auto state = m2u::to_host(S{}, to.state());
  state.resize(5);
  CHECK(state == std::vector<float>(5, 0.5F));

  SECTION("every difference is listed, and nothing is loaded") {
    auto const before = m2u::to_host(S{}, to.values());
    m2u::write_safetensors(
        folder / "q", {{{"hub.weight", {50, 3}, std::vector<float>(150)},
                        {"hub.bais", {3}, {1, 2, 3}},
                        {"hub.mean", {5}, {1, 2, std::numeric_limits<float>::quiet_NaN(), 4, 5}}}});
    CHECK_THROWS_WITH(
        m2u::load_parameters(folder / "q", to),
        ContainsSubstring("misshapen: hub.weight is [50, 3], but the model has [3, 50]") &&
            ContainsSubstring("missing: hub.bias [3]") &&
            ContainsSubstring("unexpected: hub.bais [3]") &&
            ContainsSubstring("not finite: hub.mean"));
    CHECK(m2u::to_host(S{}, to.values()) == before);
  }
}
