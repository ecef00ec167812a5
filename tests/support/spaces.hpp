// SPDX-License-Identifier: Apache-2.0
// Every execution space that this build of Kokkos has.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>

#include <Kokkos_Core.hpp>

namespace m2u::test {

namespace detail {
template <class... S>
struct Join;
template <class... A>
struct Join<std::tuple<A...>> {
  using type = std::tuple<A...>;
};
template <class... A, class... B, class... Rest>
struct Join<std::tuple<A...>, std::tuple<B...>, Rest...> {
  using type = typename Join<std::tuple<A..., B...>, Rest...>::type;
};
}  // namespace detail

/// For TEMPLATE_LIST_TEST_CASE.
using Spaces = typename detail::Join<
#if defined(KOKKOS_ENABLE_SERIAL)
    std::tuple<Kokkos::Serial>,
#endif
#if defined(KOKKOS_ENABLE_OPENMP)
    std::tuple<Kokkos::OpenMP>,
#endif
#if defined(KOKKOS_ENABLE_CUDA)
    std::tuple<Kokkos::Cuda>,
#endif
#if defined(KOKKOS_ENABLE_HIP)
    std::tuple<Kokkos::HIP>,
#endif
    std::tuple<>>::type;

/// Calls f(std::type_identity<S>{}) for each. Instances exist only while Kokkos runs, so f makes
/// them.
template <class F>
void for_each_space(F const& f) {
  [&]<class... S>(std::type_identity<std::tuple<S...>>) {
    (f(std::type_identity<S>{}), ...);
  }(std::type_identity<Spaces>{});
}

}  // namespace m2u::test
