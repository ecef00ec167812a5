// SPDX-License-Identifier: Apache-2.0
#include "m2u/parameters/content_sum.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "data/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("content sum: a file with any other byte is found out, one without a sum passes") {
  m2u::test::TemporaryFolder const folder;
  std::vector<m2u::NamedTensor> tensors{{"b", {2, 1}, {1.0F, 2.0F}}, {"a", {1}, {3.0F}}};
  std::map<std::string, std::string> metadata{{"made by", "us"}};
  m2u::write_safetensors(folder / "without", tensors, metadata);
  CHECK_NOTHROW(m2u::check_content_sum(m2u::SafetensorsFile(folder / "without")));
  m2u::add_content_sum(tensors, metadata);
  CHECK(tensors.front().name == "a");
  m2u::write_safetensors(folder / "with", tensors, metadata);
  CHECK_NOTHROW(m2u::check_content_sum(m2u::SafetensorsFile(folder / "with")));

  auto const refused = [&] {
    m2u::write_safetensors(folder / "x", tensors, metadata);
    CHECK_THROWS_WITH(
        m2u::check_content_sum(m2u::SafetensorsFile(folder / "x")),
        ContainsSubstring((folder / "x").string()) && ContainsSubstring("is damaged"));
  };
  SECTION("a value") {
    tensors[1].values[0] = 1.5F;
    refused();
  }
  SECTION("a name") {
    tensors[0].name = "c";
    refused();
  }
  SECTION("a shape") {
    tensors[1].shape = {1, 2};
    refused();
  }
  SECTION("a tensor that is gone") {
    tensors.pop_back();
    refused();
  }
  SECTION("the metadata") {
    metadata["made by"] = "them";
    refused();
  }
  SECTION("the sum itself") {
    metadata["m2u_checksum"] = "1";
    refused();
  }
}
