// SPDX-License-Identifier: Apache-2.0
// What the commands that compare predictions with labels share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "m2u/data/delimited.hpp"

namespace m2umol {

struct EvaluateArguments {
  std::string predictions;
  std::string data;
  std::vector<std::string> labels;
  std::string task = "classification";
  std::string type = "type";  ///< for ddi: the column of classes in `data`
  std::string out;
};

/// The cell of a column; empty for a row that is too short.
std::string cell(m2u::DelimitedRow const& row, int column);

/// A number, NaN for an empty cell or "nan". @throws m2u::Error naming file, line and column.
double cell_number(m2u::DelimitedReader const& reader, m2u::DelimitedRow const& row, int column);

/// The line of the table that a row of predictions is for. @throws m2u::Error if it is empty.
std::int64_t cell_line(m2u::DelimitedReader const& reader, m2u::DelimitedRow const& row,
                       int column);

/// evaluate for predictions of classes of pairs.
void evaluate_classes(EvaluateArguments const& arguments);

}  // namespace m2umol
