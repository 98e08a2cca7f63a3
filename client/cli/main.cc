#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "broker/base/process_limits.h"
#include "client/cli/app.h"

int main(int argc, char** argv) {
  ccr::ProtectProcess();
  setenv("GRPC_VERBOSITY", "NONE", 0);  // what it would say is in the status of each call
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  try {
    return ccr::cli::RunApp(argc, argv, self.parent_path().string(), ccr::cli::Terminal::OfProcess());
  } catch (const std::exception& failure) {
    std::cerr << "ccr: " << failure.what() << "\n";
    return 1;
  }
}
