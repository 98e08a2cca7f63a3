// What a provider sends on a connection, from the first byte of its head to what a client of another format sees: the
// parser of the plain engine, the opening of streams, the usage scanner and the translation. Whatever comes in, in
// whatever pieces: the same for each, and a valid answer or none goes out.
#include <boost/beast/http/error.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proxy/core/evidence/no_answer.h"
#include "proxy/core/evidence/stream_opening.h"
#include "proxy/core/evidence/usage_scanner.h"
#include "proxy/upstream/response_parser.h"
#include "tests/fuzz/fuzz.h"
#include "tests/proxy/formats/pairs.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::fuzz {
namespace {

using proxy::ResponseParser;

struct Answer {
  int status = 0;
  std::string body;
  bool broken = false;
  bool complete = false;
};

// Reads one answer, as the plain engine does.
class Connection final : public ResponseParser::Sink {
 public:
  void Feed(std::string_view bytes) {
    if (over()) return;
    buffer_ += bytes;
    while (!over() && !buffer_.empty()) {
      boost::system::error_code error;
      const size_t taken = parser_->Feed(buffer_, error);
      Require(taken <= buffer_.size(), "more is taken than was there");
      buffer_.erase(0, taken);
      if (error == boost::beast::http::error::need_more || (!error && taken == 0 && !parser_->done())) return;
      if (error) answer_.broken = true;
      if (!error && parser_->head_done()) OnHead();
    }
  }
  void End() {
    if (!over()) answer_.complete = parser_->End() && answer_.status != 0;
  }
  const Answer& answer() const { return answer_; }

 private:
  bool over() const { return answer_.broken || answer_.complete; }

  void OnHead() {
    if (parser_->interim()) {
      if (parser_->done()) parser_.emplace(this, false);
      return;
    }
    if (answer_.status == 0) answer_.status = parser_->TakeHead().status;
    answer_.complete = parser_->done();
  }

  bool OnBody(std::string_view bytes) override {
    answer_.body += bytes;
    return true;
  }

  std::optional<ResponseParser> parser_{std::in_place, this, false};
  std::string buffer_;
  Answer answer_;
};

Answer Read(std::string_view text, size_t step) {
  Connection connection;
  InPieces(text, step, [&](std::string_view piece) { connection.Feed(piece); });
  connection.End();
  return connection.answer();
}

// When a fault is seen, and what came before it, is the pieces'.
void CheckSame(const Answer& one, const Answer& other) {
  Require(one.complete == other.complete, "pieces make a difference");
  if (!one.complete) return;
  Require(one.status == other.status && one.body == other.body, "pieces make a difference to the answer");
}

void CheckClientStream(const proxy::Translation& translation, const Answer& answer, size_t step) {
  proxy::StreamOpening opening;
  proxy::UsageScanner scanner(proxy::UsageScanner::Body::kEventStream);
  const auto stream = translation.Stream("m", {});
  std::string out;
  InPieces(answer.body, step, [&](std::string_view piece) {
    opening.Feed(piece);
    scanner.Feed(piece);
    stream->Feed(piece, &out);
  });
  stream->Finish(!answer.complete, &out);
  proxy::AnthropicAnswer message;
  const std::string broken = proxy::CheckAnthropicStream(out, &message);
  Require(broken.empty(), broken);
  Require(stream->failed() == !message.error.empty(), "a failure without an error, or an error without one");
}

void CheckClientAnswer(const proxy::Translation& translation, const Answer& answer) {
  proxy::Notes notes;
  proxy::AnthropicAnswer message;
  if (const auto response = translation.Response(answer.body, &notes); response.ok()) {
    const std::string broken = proxy::CheckAnthropicMessage(*response, &message);
    Require(broken.empty(), broken);
  }
  (void)proxy::FindNoAnswer(answer.body, "choices");
  const std::string error = translation.Error(500, answer.body);
  const std::string broken = proxy::CheckAnthropicStream("event: error\ndata: " + error + "\n\n", &message);
  Require(broken.empty(), broken);
}

}  // namespace
}  // namespace ccr::fuzz

// The choice: the provider's format, and the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr;
  static const proxy::Translation& openai = *proxy::MakeAnthropicToOpenAi().release();
  static const proxy::Translation& gemini = *proxy::MakeAnthropicToGemini().release();
  const fuzz::Input input(data, size);
  const fuzz::Answer whole = fuzz::Read(input.text, input.text.size() + 1);
  fuzz::CheckSame(whole, fuzz::Read(input.text, input.choice / 2 % 64 + 1U));
  fuzz::CheckSame(whole, fuzz::Read(input.text, 1));
  const proxy::Translation& translation = input.choice % 2 == 0 ? openai : gemini;
  fuzz::CheckClientStream(translation, whole, input.choice / 2 % 64 + 1U);
  fuzz::CheckClientAnswer(translation, whole);
  return 0;
}
