#include <filesystem>
#include <system_error>

#include "broker/base/process_limits.h"
#include "client/cli/app.h"

int main(int argc, char** argv) {
  ccr::ProtectProcess();
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return ccr::cli::RunApp(argc, argv, self.parent_path().string(), ccr::cli::Terminal::OfProcess());
}
