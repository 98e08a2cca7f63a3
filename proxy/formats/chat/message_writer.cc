#include "proxy/formats/chat/message_writer.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/chat/reasoning_details.h"
#include "proxy/formats/media.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy::chat {
namespace {

std::string DataUrlOf(const Media& media) {
  return absl::StrCat("data:", media.type, ";base64,", media.data);
}

std::string ImagePart(std::string_view url, std::string_view detail) {
  std::string part = R"({"type":"image_url","image_url":)";
  {
    ObjectWriter image(&part);
    image.Text("url", url);
    if (!detail.empty()) image.Text("detail", detail);
  }
  return part += '}';
}

// Members of a part or message of this format that are written otherwise.
bool IsMark(std::string_view key) {
  return key == kContent || key == kFunctionCall || key == "role" || key == "function";
}

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kDeveloper:
      return "developer";
    case Role::kAssistant:
      return "assistant";
    case Role::kUser:
    case Role::kTool:
      break;
  }
  return "user";
}

}  // namespace

class MessageWriter::Content {
 public:
  enum class Joined { kParagraph, kOn };

  explicit Content(bool list) : list_(list) {}

  void AddText(std::string_view text, const json::value& cache_control, Joined joined) {
    if (!elements_.empty() && text.empty()) return;
    if (joined == Joined::kOn && !elements_.empty() && elements_.back().is_text && cache_control.is_null() && !list_) {
      elements_.back().text += text;
    } else {
      elements_.push_back({true, std::string(text), cache_control.is_null() ? nullptr : &cache_control, nullptr});
      list_ |= !cache_control.is_null();
    }
  }
  // Of this format's own: the members beside its text.
  void AddOwnText(const Part& part, std::string_view text) {
    // What has a type was a part of another kind, and is text only here.
    const json::object* own = part.own.empty() || part.own.contains("type") ? nullptr : &part.own;
    elements_.push_back({true, std::string(text), part.cache_control.is_null() ? nullptr : &part.cache_control, own});
    list_ |= !part.cache_control.is_null() || own != nullptr;
  }
  // The JSON of a part.
  void AddElement(std::string json) {
    elements_.push_back({false, std::move(json), nullptr, nullptr});
    list_ = true;
  }
  void SetFront(std::string_view text) { front_ = text; }
  bool empty() const { return elements_.empty(); }

  // A text, or a list of parts.
  void Write(std::string* out) const {
    if (list_ && !elements_.empty()) return WriteList(out);
    std::string text(front_);
    bool first = true;
    for (const Element& element : elements_) {
      if (!first && !element.text.empty()) text += "\n\n";
      text += element.text;
      first = first && element.text.empty();
    }
    AppendJsonString(text, out);
  }

 private:
  struct Element {
    bool is_text;
    std::string text;  // or the JSON
    const json::value* cache_control;
    const json::object* own;
  };

  void WriteList(std::string* out) const {
    ListWriter list(out);
    std::string_view front = front_;
    for (const Element& element : elements_) {
      std::string* const to = list.Next();
      if (!element.is_text) {
        *to += element.text;
        continue;
      }
      ObjectWriter part(to);
      part.Text("type", "text");
      part.Text("text", std::string(std::exchange(front, {})).append(element.text));
      part.Members(element.own);
      if (element.cache_control != nullptr) part.Json("cache_control", *element.cache_control);
    }
  }

  bool list_;
  std::string front_;
  std::vector<Element> elements_;
};

void MessageWriter::Write(std::string* out) {
  ListWriter list(out);
  for (const Message& message : request_.messages) WriteMessage(message, &list);
  if (!extras_.empty()) WriteUser(nullptr, &list);
}

void MessageWriter::WriteMessage(const Message& message, ListWriter* list) {
  if (message.role == Role::kTool) return WriteResults(message, list);
  if (message.role == Role::kUser) return WriteUser(&message, list);
  if (!extras_.empty()) WriteUser(nullptr, list);
  if (message.role == Role::kAssistant) return WriteAssistant(message, list);
  Content content(own_ && message.own.contains(kContent));
  for (const Part& part : message.parts) AddPart(part, &content);
  ObjectWriter object(list->Next());
  object.Text("role", RoleName(message.role));
  WriteContent(message, content, &object);
  WriteOwn(message.own, &object);
}

void MessageWriter::WriteUser(const Message* message, ListWriter* list) {
  static const Message& none = *new Message();
  if (message == nullptr) message = &none;
  Content content(own_ && message->own.contains(kContent));
  std::string_view call;
  for (const Extra& extra : extras_) {
    if (extra.id != call)
      content.AddText("In the result of tool call " + extra.id + ":", {}, Content::Joined::kParagraph);
    call = extra.id;
    AddMedia(*extra.media, &content);
  }
  for (const Part& part : message->parts) AddPart(part, &content);
  extras_.clear();
  ObjectWriter object(list->Next());
  object.Text("role", "user");
  WriteContent(*message, content, &object);
  WriteOwn(message->own, &object);
}

void MessageWriter::WriteAssistant(const Message& message, ListWriter* list) {
  Content content(own_ && message.own.contains(kContent));
  std::string refusal;
  bool calls = false;
  bool after_text = false;
  for (const Part& part : message.parts) {
    const bool text = part.kind == PartKind::kText;
    if (text && !own_) {
      content.AddText(part.text, part.cache_control, after_text ? Content::Joined::kOn : Content::Joined::kParagraph);
    } else if (part.kind == PartKind::kToolCall) {
      calls = true;
    } else if (part.kind == PartKind::kRefusal && own_ && !message.own.contains(kContent)) {
      refusal += part.text;
    } else if (part.kind != PartKind::kThinking || (own_ && part.own.contains("thinking"))) {
      AddPart(part, &content);
    }
    after_text = text;
  }
  ObjectWriter object(list->Next());
  object.Text("role", "assistant");
  if (content.empty() && (calls || !refusal.empty() || (own_ && !message.own.contains(kContent)))) {
    object.Json("content", nullptr);
  } else {
    WriteContent(message, content, &object);
  }
  if (!refusal.empty()) object.Text("refusal", refusal);
  WriteThinking(message, &object);
  if (calls) WriteCalls(message, &object);
  WriteOwn(message.own, &object);
}

void MessageWriter::WriteContent(const Message& message, const Content& content, ObjectWriter* object) {
  std::string* const out = object->Key("content");
  if (own_ && content.empty() && message.own.contains(kContent)) {
    *out += "[]";
  } else {
    content.Write(out);
  }
}

void MessageWriter::WriteThinking(const Message& message, ObjectWriter* object) {
  std::string text;
  std::string details;
  bool any = false;
  bool named = false;
  for (const Part& part : message.parts) {
    if (part.kind != PartKind::kThinking || (own_ && part.own.contains("thinking"))) continue;
    const OpaqueState* state = FindState(part.state, StateKind::kChatReasoningDetails);
    if (state != nullptr) {
      const absl::StatusOr<json::value> list = ParseJson(state->data);
      const json::array* entries = list.ok() ? list->if_array() : nullptr;
      for (size_t i = 0; entries != nullptr && i < entries->size(); ++i) {
        details += details.empty() ? "" : ",";
        AppendJson((*entries)[i], &details);
      }
    }
    any |= state == nullptr || !part.text.empty();
    named |= own_ && part.own.contains("reasoning");
    if (!text.empty() && !part.text.empty() && !own_) text += "\n\n";
    text += part.text;
  }
  if (any) object->Text(named ? "reasoning" : "reasoning_content", text);
  if (!details.empty()) object->Key("reasoning_details")->append("[").append(details).append("]");
}

void MessageWriter::WriteCalls(const Message& message, ObjectWriter* object) {
  std::string calls;
  {
    ListWriter list(&calls);
    for (const Part& part : message.parts) {
      if (part.kind != PartKind::kToolCall) continue;
      if (own_ && part.own.contains(kFunctionCall)) {
        WriteFunction(part, part.text, object->Key(kFunctionCall));
      } else {
        WriteCall(part, list.Next());
      }
    }
  }
  if (calls != "[]") *object->Key("tool_calls") += calls;
}

void MessageWriter::WriteCall(const Part& call, std::string* out) {
  ObjectWriter object(out);
  object.Text("id", call.id);
  object.Text("type", IsCustom(call) ? "custom" : "function");
  std::string arguments = call.text;
  if (call.custom && !own_) {
    arguments.clear();
    ObjectWriter(&arguments).Text("input", call.text);
  } else if (!own_ && call.text.empty()) {
    arguments = "{}";
  }
  WriteFunction(call, arguments, object.Key(IsCustom(call) ? "custom" : "function"));
  if (const OpaqueState* extra = FindState(call.state, StateKind::kChatExtraContent); extra != nullptr) {
    const absl::StatusOr<json::value> content = ParseJson(extra->data);
    if (content.ok() && content->is_object()) object.Json("extra_content", *content);
  }
  WriteOwn(call.own, &object);
}

void MessageWriter::WriteFunction(const Part& call, std::string_view text, std::string* out) {
  ObjectWriter function(out);
  function.Text("name", ToolName(call.name));
  function.Text(IsCustom(call) ? "input" : "arguments", text);
  if (own_) function.Members(FindObject(call.own, "function"));
}

void MessageWriter::WriteResults(const Message& message, ListWriter* list) {
  if (!extras_.empty()) WriteUser(nullptr, list);
  for (const Part& part : message.parts)
    if (part.kind == PartKind::kToolResult) WriteResult(part, list);
}

void MessageWriter::WriteResult(const Part& result, ListWriter* list) {
  const std::string& id = result.id;
  Content content(own_ && result.own.contains(kContent));
  bool media = false;
  for (const Part& part : result.content) {
    if (part.kind == PartKind::kMedia && (!own_ || part.own.empty())) {
      media = true;
      extras_.push_back({id, &part});
    } else {
      AddPart(part, &content);
    }
  }
  if (media && content.empty() && !result.is_error)
    content.AddText("[see the next message of the user]", {}, Content::Joined::kParagraph);
  if (result.is_error) content.SetFront("Error: ");
  if (result.is_error && content.empty()) content.AddText("", {}, Content::Joined::kParagraph);
  ObjectWriter object(list->Next());
  const bool legacy = own_ && result.own.contains("role");
  object.Text("role", legacy ? "function" : "tool");
  std::string* const out = object.Key("content");
  std::string text;
  content.Write(&text);
  if (!result.cache_control.is_null() && text.front() == '"') {
    out->append(R"([{"type":"text","text":)").append(text).append(R"(,"cache_control":)");
    AppendJson(result.cache_control, out);
    *out += "}]";
  } else {
    *out += own_ && content.empty() && result.own.contains(kContent) ? "[]" : text;
  }
  if (!legacy) object.Text("tool_call_id", id);
  WriteOwn(result.own, &object);
}

void MessageWriter::WriteOwn(const json::object& own, ObjectWriter* object) {
  if (!own_) return;
  for (const json::key_value_pair& member : own) {
    const std::string_view key(member.key().data(), member.key().size());
    if (!IsMark(key)) object->Json(key, member.value());
  }
}

void MessageWriter::AddPart(const Part& part, Content* content) {
  switch (part.kind) {
    case PartKind::kText:
      if (own_) return content->AddOwnText(part, part.text);
      return content->AddText(part.text, part.cache_control, Content::Joined::kParagraph);
    case PartKind::kRefusal:
      if (!own_) return content->AddText(part.text, part.cache_control, Content::Joined::kParagraph);
      return content->AddElement(absl::StrCat(R"({"type":"refusal","refusal":)", JsonString(part.text), "}"));
    case PartKind::kMedia:
      return AddMedia(part, content);
    case PartKind::kOther:
    case PartKind::kThinking:
      return AddOther(part, content);
    case PartKind::kToolCall:
    case PartKind::kToolResult:
      return;
  }
}

void MessageWriter::AddOther(const Part& part, Content* content) {
  if (own_ && !part.own.empty()) {
    std::string element;
    {
      ObjectWriter object(&element);
      object.Members(&part.own);
      if (!part.cache_control.is_null()) object.Json("cache_control", part.cache_control);
    }
    return content->AddElement(std::move(element));
  }
  if (!part.text.empty()) return content->AddText(part.text, part.cache_control, Content::Joined::kParagraph);
  constexpr size_t kMaxType = 64;
  const std::string_view type = FindText(part.own, "type");
  AddNote(notes_, std::string(type.empty() ? "unknown" : type.substr(0, kMaxType)) + " block: dropped");
}

void MessageWriter::AddMedia(const Part& part, Content* content) {
  if (own_ && !part.own.empty()) return AddOther(part, content);
  const Media& media = part.media;
  const std::string_view name = MediaName(media);
  const bool base64 = media.source == Media::Source::kBase64;
  if (name == "file") return AddDocument(part, content);
  if (name == "image" && IsImageForOpenAi(media)) {
    std::string image = ImagePart(base64 ? DataUrlOf(media) : media.data, media.detail);
    if (!part.cache_control.is_null()) {
      image.pop_back();
      image.append(R"(,"cache_control":)").append(ToJson(part.cache_control)).append("}");
    }
    return content->AddElement(std::move(image));
  }
  if (const std::string_view format = AudioFormat(media.type); base64 && !format.empty()) {
    return content->AddElement(absl::StrCat(R"({"type":"input_audio","input_audio":{"data":)", JsonString(media.data),
                                            R"(,"format":")", ToAbsl(format), R"("}})"));
  }
  AddOmitted(name, content);
}

void MessageWriter::AddDocument(const Part& part, Content* content) {
  const Media& media = part.media;
  if (media.source == Media::Source::kBase64 && !IsTextDocument(media)) return AddFile(part, "document.pdf", content);
  std::string text = "<document";
  if (!media.name.empty()) absl::StrAppend(&text, " title=\"", media.name, "\"");
  text += ">\n";
  if (const std::optional<std::string> said = IsTextDocument(media) ? DocumentText(media) : std::nullopt) {
    text += *said;
  } else if (media.source == Media::Source::kUrl) {
    AddNote(notes_, "document: by url, only the address is passed");
    text += media.data;
  } else {
    AddNote(notes_, "document: of a kind the upstream cannot read, omitted");
    text += "[document omitted]";
  }
  content->AddText(text += "\n</document>", part.cache_control, Content::Joined::kParagraph);
}

void MessageWriter::AddFile(const Part& part, std::string_view fallback, Content* content) {
  std::string element;
  {
    ObjectWriter object(&element);
    object.Text("type", "file");
    {
      ObjectWriter file(object.Key("file"));
      file.Text("filename", part.media.name.empty() ? fallback : std::string_view(part.media.name));
      file.Text("file_data", DataUrlOf(part.media));
    }
    if (!part.cache_control.is_null()) object.Json("cache_control", part.cache_control);
  }
  content->AddElement(std::move(element));
}

void MessageWriter::AddOmitted(std::string_view what, Content* content) {
  AddNote(notes_, absl::StrCat(ToAbsl(what), ": of a kind the upstream cannot read, omitted"));
  content->AddElement(absl::StrCat(R"({"type":"text","text":"[)", ToAbsl(what), R"( omitted]"})"));
}

std::string MessageWriter::ToolName(std::string_view name) {
  return own_ ? std::string(name) : OpenAiToolName(name, names_);
}

}  // namespace ccr::proxy::chat
