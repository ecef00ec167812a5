// SPDX-License-Identifier: Apache-2.0
#define M2U_COMPILE_OPS
#include "m2u/compiled/ops.hpp"
