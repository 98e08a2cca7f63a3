#include "proxy/formats/chat/answer_writer.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/chat/answer_words.h"
#include "proxy/formats/chat/common.h"
#include "proxy/formats/chat/reasoning_details.h"
#include "proxy/formats/conversation/custom_tool.h"

namespace ccr::proxy::chat {
namespace {

// The members of one message.
class Answer {
 public:
  Answer(const ModelAnswer& answer, const AnswerContext& context) : context_(context) {
    {
      ListWriter details(&details_);
      ListWriter images(&images_);
      ListWriter calls(&calls_);
      for (const Part& part : answer.parts) Add(part, &details, &images, &calls);
    }
    refused_ = !refusal_.empty();
    if (!text_.empty() || refused_ || has_calls()) return;
    (answer.stop.cause == StopCause::kRefusal ? refusal_ : text_) = answer.stop.explanation;
  }

  bool has_calls() const { return ids_.given() > 0; }
  bool refused() const { return refused_; }  // in the model's own words

  void Write(std::string* out) const {
    ObjectWriter message(out);
    message.Text("role", "assistant");
    if (text_.empty() && has_calls()) {
      message.Json("content", nullptr);
    } else {
      message.Text("content", text_);
    }
    if (refusal_.empty()) {
      message.Json("refusal", nullptr);
    } else {
      message.Text("refusal", refusal_);
    }
    if (!reasoning_.empty()) message.Text("reasoning_content", reasoning_);
    if (details_ != "[]") *message.Key("reasoning_details") += details_;
    if (images_ != "[]") *message.Key("images") += images_;
    if (has_calls()) *message.Key("tool_calls") += calls_;
  }

 private:
  void Add(const Part& part, ListWriter* details, ListWriter* images, ListWriter* calls) {
    switch (part.kind) {
      case PartKind::kThinking: {
        ThinkingPiece piece(reasoning_.size());
        piece.Add(part.text);
        reasoning_ += part.text;
        AppendDetails(part.state, piece, &packed_, details);
        return;
      }
      case PartKind::kRefusal:
        refusal_ += part.text;
        return;
      case PartKind::kText:
      case PartKind::kOther:
        text_ += part.text;
        return;
      case PartKind::kMedia:
        if (const std::string image = ImageElement(part.media); !image.empty()) *images->Next() += image;
        return;
      case PartKind::kToolCall:
        return AddCall(part, calls->Next());
      case PartKind::kToolResult:
        return;
    }
  }

  void AddCall(const Part& part, std::string* out) {
    const bool custom = IsCustomCall(context_, part.name, part.custom);
    ObjectWriter call(out);
    call.Text("id", ids_.Next(part.id, part.state));
    call.Text("type", custom ? "custom" : "function");
    {
      ObjectWriter function(call.Key(custom ? "custom" : "function"));
      function.Text("name", part.name);
      if (custom) {
        function.Text("input", part.custom ? part.text : CustomInput(part.text));
      } else {
        function.Text("arguments", part.text.empty() ? std::string_view("{}") : std::string_view(part.text));
      }
    }
    if (const std::string extra = ExtraContent(part.state); !extra.empty()) *call.Key("extra_content") += extra;
  }

  const AnswerContext& context_;
  std::string text_;
  std::string refusal_;
  std::string reasoning_;
  std::string details_;
  std::string images_;
  std::string calls_;
  CallIds ids_;
  size_t packed_ = 0;  // of the details
  bool refused_ = false;
};

}  // namespace

std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) {
  const Answer message(answer, context);
  std::string out = R"({"id":)";
  AppendJsonString(answer.id.empty() ? MadeUpId("chatcmpl-", context.id_seed, 0) : answer.id, &out);
  absl::StrAppend(&out, R"(,"object":"chat.completion","created":)", context.created, R"(,"model":)");
  AppendJsonString(context.model.empty() ? answer.model : context.model, &out);
  out += R"(,"choices":[{"index":0,"message":)";
  message.Write(&out);
  absl::StrAppend(&out, R"(,"logprobs":null,"finish_reason":")",
                  ToAbsl(FinishReason(answer.stop.cause, message.has_calls(), message.refused())), R"("}],"usage":)");
  AppendUsage(answer.usage, &out);
  return out += '}';
}

}  // namespace ccr::proxy::chat
