#include "proxy/formats/responses/codec.h"

#include <memory>
#include <string>
#include <string_view>

#include "proxy/formats/openai_error.h"
#include "proxy/formats/responses/answer_reader.h"
#include "proxy/formats/responses/answer_writer.h"
#include "proxy/formats/responses/errors.h"
#include "proxy/formats/responses/request_reader.h"
#include "proxy/formats/responses/request_writer.h"

namespace ccr::proxy::responses {
namespace {

class ResponsesCodec final : public FormatCodec {
 public:
  absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) const override {
    return responses::ReadRequest(body, notes);
  }
  absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model,
                                              Notes* notes) const override {
    return responses::WriteRequest(request, model, notes);
  }
  absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) const override {
    return responses::ReadAnswer(body, notes);
  }
  std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) const override {
    return responses::WriteAnswer(answer, context);
  }
  AnswerError ReadError(int status, std::string_view body) const override { return responses::ReadError(status, body); }
  std::string WriteError(const AnswerError& error) const override { return WriteOpenAiError(error); }
  std::unique_ptr<StreamReader> ReadStream() const override { return responses::ReadStream(); }
  std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) const override {
    return responses::WriteStream(context);
  }
};

}  // namespace

const FormatCodec& Codec() {
  static const ResponsesCodec codec;
  return codec;
}

}  // namespace ccr::proxy::responses
