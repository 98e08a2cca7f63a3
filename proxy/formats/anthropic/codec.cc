#include "proxy/formats/anthropic/codec.h"

#include <memory>
#include <string>
#include <string_view>

#include "proxy/formats/anthropic/answers.h"
#include "proxy/formats/anthropic/errors.h"
#include "proxy/formats/anthropic/request_reader.h"
#include "proxy/formats/anthropic/request_writer.h"
#include "proxy/formats/anthropic/streams.h"

namespace ccr::proxy::anthropic {
namespace {

class AnthropicCodec final : public FormatCodec {
 public:
  absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) const override {
    return anthropic::ReadRequest(body, notes);
  }
  absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model,
                                              Notes* notes) const override {
    return anthropic::WriteRequest(request, model, notes);
  }
  absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) const override {
    return anthropic::ReadAnswer(body, notes);
  }
  std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) const override {
    return anthropic::WriteAnswer(answer, context);
  }
  AnswerError ReadError(int status, std::string_view body) const override { return anthropic::ReadError(status, body); }
  std::string WriteError(const AnswerError& error) const override { return anthropic::WriteError(error); }
  std::unique_ptr<StreamReader> ReadStream() const override { return MakeStreamReader(); }
  std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) const override {
    return MakeStreamWriter(context);
  }
};

}  // namespace

const FormatCodec& Codec() {
  static const FormatCodec& codec = *new AnthropicCodec();
  return codec;
}

}  // namespace ccr::proxy::anthropic
