// SPDX-License-Identifier: Apache-2.0
#include "m2umol/run_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "data/temporary_folder.hpp"

namespace m2u::test {

namespace fs = std::filesystem;

RunningProgram::RunningProgram(std::vector<std::string> arguments, fs::path const& scratch)
    : out_(scratch / "stdout"), error_(scratch / "stderr") {
  arguments.insert(arguments.begin(), M2UMOL_PROGRAM);
  std::vector<char*> argv;
  for (auto& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  int const flags = O_WRONLY | O_CREAT | O_TRUNC;
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), flags, 0600);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error_.c_str(), flags, 0600);
  int const failed =
      ::posix_spawn(&process_, M2UMOL_PROGRAM, &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    throw std::runtime_error("cannot start " M2UMOL_PROGRAM);
  }
}

RunningProgram::~RunningProgram() {
  if (running()) {
    kill(SIGKILL);
    ::waitpid(process_, &status_, 0);
  }
}

bool RunningProgram::running() {
  ended_ = ended_ || ::waitpid(process_, &status_, WNOHANG) == process_;
  return !ended_;
}

void RunningProgram::kill(int signal) { ::kill(process_, signal); }

Outcome RunningProgram::wait(double seconds) {
  using Clock = std::chrono::steady_clock;
  auto const end = Clock::now() + std::chrono::duration<double>(seconds);
  Outcome outcome;
  while (running()) {
    if (!outcome.timed_out && Clock::now() > end) {
      outcome.timed_out = true;
      kill(SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  outcome.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  outcome.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
  outcome.out = read_bytes(out_);
  outcome.error = read_bytes(error_);
  return outcome;
}

Outcome m2umol(std::vector<std::string> arguments) {
  TemporaryFolder const scratch;
  return RunningProgram(std::move(arguments), scratch.path()).wait();
}

std::map<std::string, std::string> contents(fs::path const& folder) {
  std::map<std::string, std::string> files;
  if (fs::exists(folder)) {
    for (auto const& entry : fs::recursive_directory_iterator(folder)) {
      auto const name = fs::relative(entry.path(), folder).string();
      files[name] = entry.is_regular_file() ? read_bytes(entry.path()) : std::string("not a file");
    }
  }
  return files;
}

}  // namespace m2u::test
