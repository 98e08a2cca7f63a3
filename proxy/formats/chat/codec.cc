#include "proxy/formats/chat/codec.h"

#include <memory>
#include <string>
#include <string_view>

#include "proxy/formats/chat/answer_reader.h"
#include "proxy/formats/chat/answer_writer.h"
#include "proxy/formats/chat/errors.h"
#include "proxy/formats/chat/request_reader.h"
#include "proxy/formats/chat/request_writer.h"
#include "proxy/formats/chat/stream_reader.h"
#include "proxy/formats/chat/stream_writer.h"
#include "proxy/formats/openai_error.h"

namespace ccr::proxy::chat {
namespace {

class ChatCodec final : public FormatCodec {
 public:
  absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) const override {
    return chat::ReadRequest(body, notes);
  }
  absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model,
                                              Notes* notes) const override {
    return chat::WriteRequest(request, model, notes);
  }
  absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) const override {
    return chat::ReadAnswer(body, notes);
  }
  std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) const override {
    return chat::WriteAnswer(answer, context);
  }
  AnswerError ReadError(int status, std::string_view body) const override { return chat::ReadError(status, body); }
  std::string WriteError(const AnswerError& error) const override { return WriteOpenAiError(error); }
  std::unique_ptr<StreamReader> ReadStream() const override { return std::make_unique<ChunkReader>(); }
  std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) const override {
    return chat::WriteStream(context);
  }
};

}  // namespace

const FormatCodec& Codec() {
  static const ChatCodec& codec = *new ChatCodec();
  return codec;
}

}  // namespace ccr::proxy::chat
