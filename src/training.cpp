// SPDX-License-Identifier: Apache-2.0
#define M2U_COMPILE_TRAINING
#include "m2u/compiled/training.hpp"
