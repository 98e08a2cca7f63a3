#include "client/lib/broker_token.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/file_content.h"

namespace ccr::client {
namespace {

constexpr size_t kMaxTokenBytes = 8192;

class SendToken final : public grpc::experimental::Interceptor {
 public:
  explicit SendToken(const std::string& path) : path_(path) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      const absl::StatusOr<Secret> token = ReadTokenFile(path_);
      if (token.ok()) {
        methods->GetSendInitialMetadata()->emplace("authorization", "Bearer " + std::string(token->Reveal()));
      }
    }
    methods->Proceed();
  }

 private:
  const std::string& path_;
};

class SendTokenFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit SendTokenFactory(std::string path) : path_(std::move(path)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new SendToken(path_);
  }

 private:
  const std::string path_;
};

}  // namespace

absl::StatusOr<Secret> ReadTokenFile(const std::string& path) {
  const absl::StatusOr<FileContent> content = ReadFileContent(path, kMaxTokenBytes);
  if (!content.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the token file ", path, " ", content.status().message()));
  }
  std::string_view text = content->text.Reveal();
  text = text.substr(0, text.find_last_not_of("\r\n") + 1);
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isgraph(c); });
  if (text.empty() || !printable) {
    return absl::InvalidArgumentError(absl::StrCat("the token file ", path, " must hold a token in one line"));
  }
  return Secret(std::string(text));
}

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> TokenSender(std::string path) {
  return std::make_unique<SendTokenFactory>(std::move(path));
}

}  // namespace ccr::client
