#include "proxy/formats/gemini/codec.h"

#include <memory>

#include "proxy/formats/gemini/answer_reader.h"
#include "proxy/formats/gemini/answer_writer.h"
#include "proxy/formats/gemini/errors.h"
#include "proxy/formats/gemini/request_reader.h"
#include "proxy/formats/gemini/request_writer.h"

namespace ccr::proxy::gemini {
namespace {

class GeminiCodec final : public FormatCodec {
 public:
  absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) const override {
    return gemini::ReadRequest(body, notes);
  }
  absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model,
                                              Notes* notes) const override {
    return gemini::WriteRequest(request, model, notes);
  }
  bool MustSign(const ModelRequest& request, std::string_view model) const override {
    return gemini::MustSign(request, model);
  }
  absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) const override {
    return gemini::ReadAnswer(body, notes);
  }
  std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) const override {
    return gemini::WriteAnswer(answer, context);
  }
  AnswerError ReadError(int status, std::string_view body) const override { return gemini::ReadError(status, body); }
  std::string WriteError(const AnswerError& error) const override { return gemini::WriteError(error); }
  std::unique_ptr<StreamReader> ReadStream() const override { return gemini::ReadStream(); }
  std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) const override {
    return gemini::WriteStream(context);
  }
};

}  // namespace

const FormatCodec& Codec() {
  static const GeminiCodec codec;
  return codec;
}

}  // namespace ccr::proxy::gemini
