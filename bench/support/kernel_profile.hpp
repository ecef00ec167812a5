// SPDX-License-Identifier: Apache-2.0
// Time per kernel label and allocations per label, as Kokkos' tool interface reports them: no
// tool library and no special build is needed.
#pragma once

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <Kokkos_Core.hpp>

#include "support/machine.hpp"

namespace bench {

/// Bytes and number of the allocations of each label; counts while it lives. One at a time.
class Allocations {
 public:
  Allocations() {
    namespace tools = Kokkos::Tools::Experimental;
    self() = this;
    tools::set_allocate_data_callback(
        [](Kokkos_Profiling_SpaceHandle, char const* name, void const*, std::uint64_t bytes) {
          ++self()->count_;
          auto& label = self()->labels_[name];
          label.first += bytes;
          label.second = std::max(label.second, label.first);
        });
    tools::set_deallocate_data_callback(
        [](Kokkos_Profiling_SpaceHandle, char const* name, void const*, std::uint64_t bytes) {
          auto& label = self()->labels_[name];
          label.first -= std::min(label.first, bytes);
        });
  }
  ~Allocations() {
    Kokkos::Tools::Experimental::set_allocate_data_callback(nullptr);
    Kokkos::Tools::Experimental::set_deallocate_data_callback(nullptr);
  }
  Allocations(Allocations const&) = delete;
  Allocations& operator=(Allocations const&) = delete;

  long long count() const { return count_; }
  /// The most bytes that allocations with this label held at once.
  std::uint64_t most(std::string const& label) const {
    auto const found = labels_.find(label);
    return found == labels_.end() ? 0 : found->second.second;
  }

 private:
  static Allocations*& self() {
    static Allocations* instance = nullptr;
    return instance;
  }
  long long count_ = 0;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> labels_;
};

/// Times every kernel between start() and stop(). On the host a launch returns when the kernel has
/// ended; elsewhere the times are those of launching.
class KernelProfile {
 public:
  void start() {
    namespace tools = Kokkos::Tools::Experimental;
    self() = this;
    depth_ = 0;
    tools::set_begin_parallel_for_callback(begin);
    tools::set_begin_parallel_reduce_callback(begin);
    tools::set_begin_parallel_scan_callback(begin);
    tools::set_end_parallel_for_callback(end);
    tools::set_end_parallel_reduce_callback(end);
    tools::set_end_parallel_scan_callback(end);
    tools::set_push_region_callback([](char const* name) {
      self()->backward_ += std::string_view(name) == "m2u::autodiff::backward" ? 1 : 0;
      self()->regions_.emplace_back(name);
    });
    tools::set_pop_region_callback([] {
      if (!self()->regions_.empty()) {
        self()->backward_ -= self()->regions_.back() == "m2u::autodiff::backward" ? 1 : 0;
        self()->regions_.pop_back();
      }
    });
  }

  static void stop() {
    namespace tools = Kokkos::Tools::Experimental;
    tools::set_begin_parallel_for_callback(nullptr);
    tools::set_begin_parallel_reduce_callback(nullptr);
    tools::set_begin_parallel_scan_callback(nullptr);
    tools::set_end_parallel_for_callback(nullptr);
    tools::set_end_parallel_reduce_callback(nullptr);
    tools::set_end_parallel_scan_callback(nullptr);
    tools::set_push_region_callback(nullptr);
    tools::set_pop_region_callback(nullptr);
  }

  /// A table of all labels by time. @param seconds that passed in all, for the share outside
  /// kernels.
  std::string table(double seconds, int steps) const {
    std::vector<std::pair<Key, Sum>> rows(sums_.begin(), sums_.end());
    std::sort(rows.begin(), rows.end(),
              [](auto const& a, auto const& b) { return a.second.seconds > b.second.seconds; });
    std::string text = "    ms/step   share  calls/step  pass      kernel\n";
    double inside = 0.0;
    for (auto const& [key, sum] : rows) {
      text += row(sum.seconds, seconds, static_cast<double>(sum.calls), steps,
                  key.first ? "backward" : "forward", key.second);
      inside += sum.seconds;
    }
    return text + row(seconds - inside, seconds, 0.0, steps, "", "(outside kernels)");
  }

 private:
  using Key = std::pair<bool, std::string>;
  struct Sum {
    double seconds = 0.0;
    long long calls = 0;
  };

  static std::string row(double part, double whole, double calls, int steps, char const* pass,
                         std::string const& name) {
    char line[300];
    std::snprintf(line, sizeof line, "%11.3f  %5.1f%%  %10.1f  %-8s  %s\n", 1e3 * part / steps,
                  100.0 * part / whole, calls / steps, pass, name.c_str());
    return line;
  }

  static KernelProfile*& self() {
    static KernelProfile* instance = nullptr;
    return instance;
  }

  static void begin(char const* name, std::uint32_t, std::uint64_t*) {
    auto& profile = *self();
    if (profile.depth_++ == 0) {  // what a kernel launches is part of it
      profile.name_ = name;
      profile.start_ = Clock::now();
    }
  }
  static void end(std::uint64_t) {
    auto& profile = *self();
    if (profile.depth_ > 0 && --profile.depth_ == 0) {
      auto& sum = profile.sums_[{profile.backward_ > 0, profile.name_}];
      sum.seconds += seconds_since(profile.start_);
      ++sum.calls;
    }
  }

  std::map<Key, Sum> sums_;
  std::vector<std::string> regions_;
  int backward_ = 0;
  int depth_ = 0;
  std::string name_;
  Clock::time_point start_;
};

}  // namespace bench
