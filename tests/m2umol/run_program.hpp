// SPDX-License-Identifier: Apache-2.0
// Runs the program as a user does, and keeps what it says.
#pragma once

#include <filesystem>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include <sys/types.h>

namespace m2u::test {

/// How a program ended.
struct Outcome {
  int code = -1;           ///< exit code; -1 if a signal ended it
  int signal = 0;          ///< that signal
  bool timed_out = false;  ///< it was killed for taking too long
  std::string out;
  std::string error;
  friend std::ostream& operator<<(std::ostream& stream, Outcome const& outcome) {
    return stream << "exit code " << outcome.code << ", signal " << outcome.signal
                  << (outcome.timed_out ? ", timed out" : "") << "\n--- stdout\n"
                  << outcome.out << "\n--- stderr\n"
                  << outcome.error;
  }
};

/// A started m2umol with its standard output and error in files.
class RunningProgram {
 public:
  /// @param scratch a folder for what it writes to its standard streams
  RunningProgram(std::vector<std::string> arguments, std::filesystem::path const& scratch);
  RunningProgram(RunningProgram const&) = delete;
  RunningProgram& operator=(RunningProgram const&) = delete;
  ~RunningProgram();

  bool running();
  void kill(int signal);
  /// Waits; kills it after that many seconds.
  Outcome wait(double seconds = 60.0);

 private:
  std::filesystem::path out_;
  std::filesystem::path error_;
  pid_t process_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

/// Runs m2umol to its end.
Outcome m2umol(std::vector<std::string> arguments);

/// All files below a folder with their contents; tells whether a command left anything behind.
std::map<std::string, std::string> contents(std::filesystem::path const& folder);

}  // namespace m2u::test
