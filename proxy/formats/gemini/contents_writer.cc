#include "proxy/formats/gemini/contents_writer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/gemini/arguments.h"
#include "proxy/formats/gemini/call_id.h"
#include "proxy/formats/gemini/media.h"
#include "proxy/formats/gemini/signature.h"
#include "proxy/formats/openai_message.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy::gemini {
namespace {

constexpr std::string_view kSignature = "thoughtSignature";

// The texts of the content, apart by line ends.
std::string Joined(const std::vector<Part>& content) {
  std::string joined;
  for (const Part& part : content) {
    if (part.kind == PartKind::kMedia || part.text.empty()) continue;
    absl::StrAppend(&joined, joined.empty() ? "" : "\n", part.text);
  }
  return joined;
}

bool HasMedia(const Part& result) {
  for (const Part& part : result.content) {
    if (part.kind == PartKind::kMedia) return true;
  }
  return false;
}

}  // namespace

absl::Status ContentsWriter::Add(const Message& message) {
  if (message.role == Role::kSystem || message.role == Role::kDeveloper) {
    AddSystem(message);
  } else if (message.role == Role::kTool) {
    AddResults(message);
  } else {
    Content content;
    content.model = message.role == Role::kAssistant;
    for (const Part& part : message.parts) AppendPart(part, message.role, &content);
    if (gemini_client_) {
      for (const json::key_value_pair& member : message.own) {
        AppendJsonString({member.key().data(), member.key().size()}, &content.own);
        content.own += ':';
        AppendJson(member.value(), &content.own);
        content.own += ',';
      }
    }
    Push(std::move(content));
  }
  return arguments_.status();
}

void ContentsWriter::SignForeignCalls() {
  size_t turn = contents_.size();
  while (turn > 0 && (contents_[turn - 1].model || contents_[turn - 1].answers)) --turn;
  for (; turn < contents_.size(); ++turn) {
    Content& content = contents_[turn];
    if (content.unsigned_call == kSigned) continue;
    AddNote(notes_, "tool_calls: without a thought signature, the model is told so");
    content.parts.insert(content.unsigned_call,
                         absl::StrCat(",\"", ToAbsl(kSignature), "\":\"", ToAbsl(kForeignCall), "\""));
    content.unsigned_call = kSigned;
  }
}

void ContentsWriter::Write(ObjectText* body) const {
  if (!system_.parts.empty()) {
    absl::StrAppend(body->Name("systemInstruction"), "{\"parts\":[", system_.parts, "]}");
  }
  std::string* out = body->Name("contents");
  *out += '[';
  if (contents_.empty()) {
    out->append(R"({"role":"user","parts":[{"text":)");
    AppendJsonString(kFiller, out);
    out->append("}]}");
  }
  bool first = true;
  for (const Content& content : contents_) {
    if (!first) *out += ',';
    first = false;
    absl::StrAppend(out, "{", content.own, "\"role\":\"", content.model ? "model" : "user", "\",\"parts\":[",
                    content.parts, "]}");
  }
  *out += ']';
}

void ContentsWriter::AddSystem(const Message& message) {
  if (contents_.empty()) {
    for (const Part& part : message.parts) AppendPart(part, Role::kSystem, &system_);
    return;
  }
  const std::string text = Joined(message.parts);
  if (text.empty()) return;
  AddNote(notes_, "messages: a system message behind others became the user's text");
  Content content;
  AppendPlainText(absl::StrCat("<system>\n", text, "\n</system>"), &content);
  Push(std::move(content));
}

void ContentsWriter::AddResults(const Message& message) {
  Content answers;
  Content media;
  answers.answers = true;
  for (const Part& part : message.parts) {
    if (part.kind == PartKind::kToolResult) AppendResult(part, &answers, &media);
  }
  Push(std::move(answers));
  Push(std::move(media));
}

void ContentsWriter::AppendPart(const Part& part, Role role, Content* to) {
  switch (part.kind) {
    case PartKind::kText:
    case PartKind::kRefusal:
      return AppendText(part, to);
    case PartKind::kThinking:
      return AppendThinking(part, to);
    case PartKind::kMedia:
      return AppendMediaPart(part, role, to);
    case PartKind::kToolCall:
      return AppendCall(part, to);
    case PartKind::kOther:
      return AppendOther(part, to);
    case PartKind::kToolResult:
      return;
  }
}

void ContentsWriter::AppendText(const Part& part, Content* to) {
  const std::string signature = OwnSignature(part.state);
  if (part.text.empty() && signature.empty()) return;
  ObjectText object(Begin(to));
  object.Text("text", part.text);
  if (!signature.empty()) object.Text(kSignature, signature);
  AppendOwn(part, {}, &object);
  object.Close();
}

// Thoughts of other models say nothing to Gemini.
void ContentsWriter::AppendThinking(const Part& part, Content* to) {
  const std::string signature = OwnSignature(part.state);
  if (signature.empty() && !(gemini_client_ && part.state.empty() && !part.text.empty())) {
    if (!part.text.empty()) AddNote(notes_, "messages.reasoning_content: dropped");
    return;
  }
  ObjectText object(Begin(to));
  object.Text("text", part.text);
  if (!part.text.empty()) object.Flag("thought", true);
  if (!signature.empty()) object.Text(kSignature, signature);
  AppendOwn(part, {}, &object);
  object.Close();
}

void ContentsWriter::AppendPlainText(std::string_view text, Content* to) {
  ObjectText object(Begin(to));
  object.Text("text", text);
  object.Close();
}

void ContentsWriter::AppendCall(const Part& part, Content* to) {
  const std::string signature = OwnSignature(part.state);
  ObjectText object(Begin(to));
  ObjectText call(object.Name("functionCall"));
  call.Text("name", GeminiToolName(part.name, names_));
  AppendArguments(part, &arguments_, notes_, call.Name("args"));
  if (const std::string_view id = OwnCallId(part.id, gemini_client_); !id.empty()) call.Text("id", id);
  AppendInner(part, "functionCall", {}, &call);
  call.Close();
  if (!signature.empty()) object.Text(kSignature, signature);
  AppendOwn(part, "functionCall", &object);
  if (!to->calls && signature.empty()) to->unsigned_call = to->parts.size();
  to->calls = true;
  object.Close();
}

void ContentsWriter::AppendMediaPart(const Part& part, Role role, Content* to) {
  if (!part.media.detail.empty()) AddNote(notes_, "image_url.detail: dropped");
  std::string members;
  if ((role == Role::kUser || gemini_client_) && AppendMedia(part.media, gemini_client_, &members)) {
    const bool is_inline = part.media.source == Media::Source::kBase64;
    std::string* out = Begin(to);
    std::string rest;
    ObjectText own(&rest);
    if (const std::string signature = OwnSignature(part.state); !signature.empty()) own.Text(kSignature, signature);
    AppendOwn(part, is_inline ? "inlineData" : "fileData", &own);
    absl::StrAppend(out, "{", members, own.empty() ? "" : ",", ToAbsl(std::string_view(rest).substr(1)), "}");
    return;
  }
  const std::string_view word = MediaWord(part.media);
  AddNote(notes_, absl::StrCat(ToAbsl(word), ": dropped, a mark stands in its place"));
  AppendPlainText(absl::StrCat("[", ToAbsl(word), " omitted]"), to);
}

void ContentsWriter::AppendResult(const Part& part, Content* answers, Content* media) {
  ObjectText object(Begin(answers));
  ObjectText result(object.Name("functionResponse"));
  result.Text("name", GeminiToolName(part.name, names_));
  AppendResponse(part, &result);
  if (const std::string_view id = OwnCallId(part.id, gemini_client_); !id.empty()) result.Text("id", id);
  Content within;
  if (HasMedia(part)) {
    for (const Part& one : part.content) {
      if (one.kind == PartKind::kMedia) AppendMediaPart(one, Role::kUser, gemini_client_ ? &within : media);
    }
  }
  if (!within.parts.empty()) absl::StrAppend(result.Name("parts"), "[", within.parts, "]");
  AppendInner(part, "functionResponse", "response", &result);
  result.Close();
  AppendOwn(part, "functionResponse", &object);
  object.Close();
}

void ContentsWriter::AppendResponse(const Part& part, ObjectText* result) {
  const json::object* own = gemini_client_ ? FindObject(part.own, "functionResponse") : nullptr;
  const json::object* given = own == nullptr ? nullptr : FindObject(*own, "response");
  if (given != nullptr) {
    AppendJson(*given, result->Name("response"));
    return;
  }
  ObjectText response(result->Name("response"));
  response.Text(part.is_error ? "error" : "output", Joined(part.content));
  response.Close();
}

void ContentsWriter::AppendOther(const Part& part, Content* to) {
  if (gemini_client_) {
    AppendJson(part.own, Begin(to));
  } else if (!part.text.empty()) {
    AppendPlainText(part.text, to);
  }
}

void ContentsWriter::Push(Content content) {
  if (content.parts.empty()) return;
  if (contents_.empty() && content.model) {
    Content filler;
    AppendPlainText(kFiller, &filler);
    contents_.push_back(std::move(filler));
  }
  if (content.answers && contents_.size() > 1 && contents_[contents_.size() - 2].calls && !contents_.back().model &&
      !contents_.back().answers) {
    // Text that a client put before the results: they come directly behind the calls.
    contents_.insert(contents_.end() - 1, std::move(content));
    return;
  }
  Content* last = contents_.empty() ? nullptr : &contents_.back();
  const bool joins = last != nullptr && last->model == content.model && !last->answers && !content.answers &&
                     last->own.empty() && content.own.empty();
  if (!joins) {
    contents_.push_back(std::move(content));
    return;
  }
  last->parts += ',';
  if (!last->calls && content.calls && content.unsigned_call != kSigned) {
    last->unsigned_call = last->parts.size() + content.unsigned_call;
  }
  last->calls |= content.calls;
  last->parts += content.parts;
}

std::string* ContentsWriter::Begin(Content* to) {
  if (!to->parts.empty()) to->parts += ',';
  return &to->parts;
}

void ContentsWriter::AppendOwn(const Part& part, std::string_view inner, ObjectText* to) const {
  if (!gemini_client_) return;
  for (const json::key_value_pair& member : part.own) {
    if (std::string_view(member.key().data(), member.key().size()) != inner) to->Member(member);
  }
}

void ContentsWriter::AppendInner(const Part& part, std::string_view inner, std::string_view but, ObjectText* to) const {
  const json::object* own = gemini_client_ ? FindObject(part.own, inner) : nullptr;
  if (own == nullptr) return;
  for (const json::key_value_pair& member : *own) {
    if (std::string_view(member.key().data(), member.key().size()) != but) to->Member(member);
  }
}

}  // namespace ccr::proxy::gemini
