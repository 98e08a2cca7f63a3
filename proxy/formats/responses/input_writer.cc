#include "proxy/formats/responses/input_writer.h"

#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/data_url.h"
#include "proxy/formats/media.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy::responses {
namespace {

constexpr size_t kMaxCallId = 64;

// Longer ones are refused. The same for a call and its result.
std::string CallId(std::string_view id) {
  return id.size() <= kMaxCallId ? std::string(id) : MadeUpId("call_", StableHash(id), 0);
}

bool IsSaid(const Part& part) {
  return part.kind == PartKind::kText || part.kind == PartKind::kRefusal || part.kind == PartKind::kMedia;
}

bool IsText(const Part& part) {
  return part.kind == PartKind::kText || part.kind == PartKind::kRefusal;
}

std::string_view RoleName(Role role, bool same) {
  if (role == Role::kUser) return "user";
  return role == Role::kSystem && same ? "system" : "developer";
}

std::string DataUrlOf(const Media& media, std::string_view usual_type) {
  const bool known = !media.type.empty() && !media.type.ends_with("/*");
  return absl::StrCat("data:", ToAbsl(known ? std::string_view(media.type) : usual_type), ";base64,", media.data);
}

// Whether OpenAI takes what came from a client of another format.
bool IsTaken(const Media& media, Format origin) {
  const std::string_view name = MediaName(media);
  if (media.source == Media::Source::kFileId) return origin == Format::kChat && (name == "image" || name == "file");
  if (name == "image") return IsImageForOpenAi(media);
  if (name == "audio") return media.source == Media::Source::kBase64 && !AudioFormat(media.type).empty();
  return name == "file" && (media.source != Media::Source::kUrl || IsWebUrl(media.data));
}

}  // namespace

void InputWriter::Write() {
  size_t first = 0;
  std::string instructions;
  for (; first < request_.messages.size() && request_.messages[first].role == Role::kSystem; ++first) {
    for (const Part& part : request_.messages[first].parts) {
      if (!IsText(part) || part.text.empty()) continue;
      absl::StrAppend(&instructions, instructions.empty() ? "" : "\n\n", part.text);
    }
  }
  if (!instructions.empty()) AppendMember("instructions", instructions, out_);
  *out_ += ",\"input\":";
  JsonList items(out_);
  for (; first < request_.messages.size(); ++first) WriteMessage(request_.messages[first], &items);
  items.Close();
}

void InputWriter::WriteMessage(const Message& message, JsonList* items) {
  if (message.role == Role::kAssistant) return WriteAssistant(message, items);
  if (message.role == Role::kTool) {
    for (const Part& part : message.parts) WriteResult(part, items);
    return;
  }
  items->Next()->append(R"({"type":"message","role":")").append(RoleName(message.role, same_)).append("\"");
  *out_ += ",\"content\":";
  JsonList parts(out_);
  for (const Part& part : message.parts) WritePart(part, "input_text", &parts);
  parts.Close();
  AppendOwn(message.own, {});
  *out_ += '}';
}

void InputWriter::WriteAssistant(const Message& message, JsonList* items) {
  for (size_t i = 0; i < message.parts.size();) {
    const Part& part = message.parts[i];
    if (IsSaid(part)) {
      i = WriteSaid(message, i, items);
      continue;
    }
    if (part.kind == PartKind::kThinking) WriteThinking(part, items);
    if (part.kind == PartKind::kToolCall) WriteCall(part, items);
    if (part.kind == PartKind::kOther && same_) {
      AppendJson(part.own, items->Next());
    } else if (part.kind == PartKind::kOther) {
      AddNote(notes_, "messages: a part that only its own format knows was dropped");
    }
    ++i;
  }
}

size_t InputWriter::WriteSaid(const Message& message, size_t first, JsonList* items) {
  items->Next()->append(R"({"type":"message","role":"assistant","content":)");
  JsonList parts(out_);
  size_t next = first;
  for (; next < message.parts.size() && IsSaid(message.parts[next]); ++next) {
    if (next > first && same_ && message.parts[next].own.contains("message")) break;
    WritePart(message.parts[next], "output_text", &parts);
  }
  parts.Close();
  const json::object* own = FindObject(message.parts[first].own, "message");
  if (own != nullptr) AppendOwn(*own, {});
  *out_ += '}';
  return next;
}

void InputWriter::WriteThinking(const Part& part, JsonList* items) {
  const OpaqueState* state = FindState(part.state, StateKind::kResponsesReasoning);
  std::string members;
  bool raw = false;
  if (state == nullptr || !AppendReasoningState(state->data, &members, &raw)) {
    return AddNote(notes_, "messages: thinking without state of this format was dropped");
  }
  items->Next()->append(R"({"type":"reasoning","summary":)");
  const json::value* summary = same_ ? Find(part.own, "summary") : nullptr;
  if (summary != nullptr) {
    AppendJson(*summary, out_);
  } else {
    *out_ += '[';
    if (!part.text.empty() && !raw) WriteText("summary_text", part.text);
    *out_ += ']';
  }
  out_->append(members).append("}");
}

void InputWriter::WriteCall(const Part& part, JsonList* items) {
  items->Next()->append(part.custom ? R"({"type":"custom_tool_call")" : R"({"type":"function_call")");
  AppendMember("call_id", CallId(part.id), out_);
  const std::string_view grouped = same_ && part.own.contains("namespace") ? FindText(part.own, "name") : "";
  const std::string_view own = grouped.empty() ? std::string_view(part.name) : grouped;
  AppendMember("name", same_ ? std::string(own) : OpenAiToolName(own, names_), out_);
  if (part.custom) {
    custom_calls_.insert(part.id);
    AppendMember("input", part.text, out_);
  } else {
    AppendMember("arguments", part.text.empty() ? std::string_view("{}") : std::string_view(part.text), out_);
  }
  AppendOwn(part.own, {"name"});
  *out_ += '}';
}

void InputWriter::WriteResult(const Part& part, JsonList* items) {
  const bool custom = part.custom || custom_calls_.contains(part.id);
  items->Next()->append(custom ? R"({"type":"custom_tool_call_output")" : R"({"type":"function_call_output")");
  AppendMember("call_id", CallId(part.id), out_);
  *out_ += ",\"output\":";
  WriteOutput(part);
  AppendOwn(part.own, {});
  *out_ += '}';
}

void InputWriter::WriteOutput(const Part& part) {
  const std::string_view mark = part.is_error ? "Error: " : "";
  const bool plain = part.content.empty() || (part.content.size() == 1 && part.content[0].kind == PartKind::kText &&
                                              (part.content[0].own.empty() || !same_));
  if (plain) {
    const std::string_view text = part.content.empty() ? std::string_view() : part.content[0].text;
    return AppendJsonString(absl::StrCat(ToAbsl(mark), ToAbsl(text)), out_);
  }
  JsonList parts(out_);
  if (part.is_error) {
    parts.Next();
    WriteText("input_text", mark);
  }
  for (const Part& content : part.content) WritePart(content, "input_text", &parts);
  parts.Close();
}

void InputWriter::WritePart(const Part& part, std::string_view text_type, JsonList* parts) {
  const bool said = text_type == "output_text";
  if (part.kind == PartKind::kOther) {
    if (same_) return AppendJson(part.own, parts->Next());
    if (part.text.empty()) return AddNote(notes_, "messages: a part that only its own format knows was dropped");
    parts->Next();
    return WriteText(text_type, part.text);
  }
  if (part.kind == PartKind::kMedia && (said || !(same_ || IsTaken(part.media, request_.origin)))) {
    parts->Next();
    AddNote(notes_, std::string(MediaName(part.media)) + ": dropped, a mark stands in its place");
    return WriteText(text_type, OmittedMark(part.media));
  }
  if (part.kind != PartKind::kMedia && !IsText(part)) return;
  parts->Next();
  if (part.kind == PartKind::kMedia) {
    WriteMedia(part.media);
  } else if (part.kind == PartKind::kRefusal && said) {
    *out_ += R"({"type":"refusal")";
    AppendMember("refusal", part.text, out_);
    *out_ += '}';
  } else {
    WriteText(text_type, part.text);
  }
  if (!same_ || (part.own.empty() && part.cache_control.is_null())) return;
  out_->pop_back();
  AppendOwn(part.own, {"message"});
  AppendCacheMark(part.cache_control, out_);
  *out_ += '}';
}

void InputWriter::WriteMedia(const Media& media) {
  if (media.source == Media::Source::kText) {
    const std::string title = media.name.empty() ? std::string() : absl::StrCat(" title=\"", media.name, "\"");
    return WriteText("input_text", absl::StrCat("<document", title, ">\n", media.data, "\n</document>"));
  }
  if (absl::StartsWith(media.type, "audio/")) {
    const std::string_view known = AudioFormat(media.type);
    const std::string_view format = known.empty() ? std::string_view(media.type).substr(6) : known;
    *out_ += R"({"type":"input_audio","input_audio":{"data":)";
    AppendJsonString(media.data, out_);
    AppendMember("format", format, out_);
    *out_ += "}}";
    return;
  }
  if (MediaName(media) != "image") return WriteFile(media);
  *out_ += R"({"type":"input_image")";
  if (media.source == Media::Source::kBase64) AppendMember("image_url", DataUrlOf(media, "image/png"), out_);
  if (media.source == Media::Source::kUrl) AppendMember("image_url", media.data, out_);
  if (media.source == Media::Source::kFileId) AppendMember("file_id", media.data, out_);
  if (!media.detail.empty()) AppendMember("detail", media.detail, out_);
  *out_ += '}';
}

void InputWriter::WriteFile(const Media& media) {
  *out_ += R"({"type":"input_file")";
  if (media.source == Media::Source::kUrl) AppendMember("file_url", media.data, out_);
  if (media.source == Media::Source::kFileId) AppendMember("file_id", media.data, out_);
  std::string name = media.name;
  if (media.source == Media::Source::kBase64) {
    AppendMember("file_data", DataUrlOf(media, "application/octet-stream"), out_);
    // Bytes without a name are refused.
    if (name.empty()) name = media.type == "application/pdf" ? "document.pdf" : "document";
  }
  if (!name.empty()) AppendMember("filename", name, out_);
  *out_ += '}';
}

void InputWriter::WriteText(std::string_view type, std::string_view text) {
  out_->append(R"({"type":")").append(type).append("\"");
  AppendMember("text", text, out_);
  *out_ += '}';
}

void InputWriter::AppendOwn(const json::object& own, std::initializer_list<std::string_view> skipped) {
  if (same_) AppendOthers(own, skipped, out_);
}

}  // namespace ccr::proxy::responses
