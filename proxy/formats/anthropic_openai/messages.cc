#include "proxy/formats/anthropic_openai/messages.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/openai_gemini/gemini_call_id.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kBillingBlock = "x-anthropic-billing-header:";

std::string DataUrlOf(const json::object& source) {
  std::string url = "data:";
  url.append(FindText(source, "media_type")).append(";base64,").append(FindText(source, "data"));
  return url;
}

bool IsPlainText(const json::value& part) {
  return part.get_object().size() == 2 && FindText(part.get_object(), "type") == "text";
}

absl::Status Invalid(std::string_view message) {
  return absl::InvalidArgumentError({message.data(), message.size()});
}

}  // namespace

class OpenAiConversation::Paragraphs {
 public:
  explicit Paragraphs(std::string* text) : text_(text), begin_(text->size()) {}

  void Add(std::string_view paragraph) {
    if (paragraph.empty()) return;
    Separate();
    text_->append(paragraph);
  }
  // What is added to the result until CloseDocument is the document's.
  Paragraphs OpenDocument(std::string_view title) {
    Separate();
    text_->append("<document");
    if (!title.empty()) text_->append(" title=\"").append(title).append("\"");
    text_->append(">\n");
    return Paragraphs(text_);
  }
  void CloseDocument() { text_->append("\n</document>"); }

 private:
  void Separate() {
    if (text_->size() > begin_) text_->append("\n\n");
  }

  std::string* const text_;
  const size_t begin_;
};

OpenAiConversation::OpenAiConversation(const AnthropicToOpenAiOptions& options, json::storage_ptr storage, Notes* notes,
                                       ToolNames* names)
    : options_(options),
      storage_(std::move(storage)),
      notes_(notes),
      names_(names),
      messages_(storage_),
      parts_(storage_),
      tool_calls_(storage_) {}

absl::Status OpenAiConversation::AddSystem(const json::value& content) {
  Close();
  AnswerOpenCalls();
  if (content.is_string()) {
    PushText(View(content.get_string()), {});
  } else if (const json::array* blocks = content.if_array(); blocks != nullptr) {
    for (const json::value& element : *blocks) {
      if (!element.is_object()) return Invalid("a block must be an object");
      const json::object& block = element.get_object();
      const std::string_view text = FindText(block, "text");
      if (FindText(block, "type") != "text") {
        Drop(FindText(block, "type"));
      } else if (text.substr(0, kBillingBlock.size()) == kBillingBlock) {
        AddNote(notes_, "system: billing header block dropped");
      } else {
        PushText(text, block);
      }
    }
  } else {
    return Invalid("must be a text or an array of blocks");
  }
  if (!parts_.empty()) messages_.push_back(Message("system", JoinParts(std::exchange(parts_, json::array(storage_)))));
  return absl::OkStatus();
}

absl::Status OpenAiConversation::AddMessage(const json::value& message) {
  if (!message.is_object()) return Invalid("must be an object");
  const json::value* content = Find(message.get_object(), "content");
  if (content == nullptr) return Invalid("content: field required");
  const std::string_view role = FindText(message.get_object(), "role");
  if (role == "system") return AddSystem(*content);
  if (role != "user" && role != "assistant") return Invalid("role: must be user, assistant or system");
  Open(role == "user" ? Turn::kUser : Turn::kAssistant);
  return AddBlocks(*content);
}

json::array OpenAiConversation::Take() {
  Close();
  AnswerOpenCalls();
  return std::move(messages_);
}

void OpenAiConversation::Open(Turn turn) {
  if (turn != turn_) Close();
  turn_ = turn;
  after_text_ = false;
}

void OpenAiConversation::Close() {
  if (turn_ == Turn::kAssistant) CloseAssistant();
  if (turn_ == Turn::kUser) {
    AnswerOpenCalls();
    const bool answered = !messages_.empty() && FindText(messages_.back().get_object(), "role") == "tool";
    if (!parts_.empty() || !answered) messages_.push_back(Message("user", JoinParts(std::move(parts_))));
  }
  turn_ = Turn::kNone;
  parts_ = json::array(storage_);
  tool_calls_ = json::array(storage_);
  reasoning_.clear();
}

void OpenAiConversation::CloseAssistant() {
  json::value content(nullptr, storage_);
  if (!parts_.empty() || tool_calls_.empty()) content = JoinParts(std::move(parts_));
  json::object message = Message("assistant", std::move(content));
  if (!reasoning_.empty()) message["reasoning_content"] = reasoning_;
  if (!tool_calls_.empty()) message["tool_calls"] = std::move(tool_calls_);
  messages_.push_back(std::move(message));
}

void OpenAiConversation::AnswerOpenCalls() {
  for (const OpenCall& call : std::exchange(calls_, {})) {
    if (call.answered) continue;
    AddNote(notes_, "tool_use without a result: answered");
    AddToolMessage(call.upstream_id, json::value("Error: no result", storage_));
  }
  calls_by_id_.Clear();
  upstream_ids_.clear();
}

absl::Status OpenAiConversation::AddBlocks(const json::value& content) {
  if (content.is_string()) {
    PushText(View(content.get_string()), {});
    return absl::OkStatus();
  }
  if (!content.is_array()) return Invalid("content: must be a text or an array of blocks");
  for (const json::value& block : content.get_array()) {
    if (!block.is_object() || FindText(block.get_object(), "type").empty()) {
      return Invalid("content: a block must be an object with a type");
    }
    const absl::Status status =
        turn_ == Turn::kUser ? AddUserBlock(block.get_object()) : AddAssistantBlock(block.get_object());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status OpenAiConversation::AddUserBlock(const json::object& block) {
  if (FindText(block, "type") == "tool_result") return AddToolResult(block);
  std::string text;
  json::array media(storage_);
  Paragraphs paragraphs(&text);
  FlattenBlock(block, &paragraphs, &media);
  PushText(text, block);
  for (json::value& part : media) parts_.push_back(std::move(part));
  if (!media.empty()) KeepCacheControl(block, &parts_.back());
  return absl::OkStatus();
}

absl::Status OpenAiConversation::AddAssistantBlock(const json::object& block) {
  const std::string_view type = FindText(block, "type");
  if (type == "text") {
    AddAssistantText(block);
    after_text_ = true;
    return absl::OkStatus();
  }
  after_text_ = false;
  if (type == "tool_use") return AddToolUse(block);
  if (type == "thinking") {
    AddThinking(block);
  } else {
    Drop(type);
  }
  return absl::OkStatus();
}

absl::Status OpenAiConversation::AddToolResult(const json::object& block) {
  const std::string_view id = CallId(FindText(block, "tool_use_id"));
  if (id.empty()) return Invalid("content: a tool_result needs a tool_use_id");
  std::string text = FindBool(block, "is_error") ? "Error: " : "";
  json::array media(storage_);
  if (const json::value* content = Find(block, "content"); content != nullptr) {
    Paragraphs result(&text);
    Flatten(*content, &result, &media);
  }
  const size_t found = calls_by_id_.Find(id, [this](size_t call) { return !calls_[call].answered; });
  if (found == CallIndex::kNone) {
    AddNote(notes_, "tool_result of no call: now text");
    PushText(text, block);
  } else {
    calls_[found].answered = true;
    const std::string& upstream_id = calls_[found].upstream_id;
    if (!media.empty()) PushText("In the result of tool call " + upstream_id + ":", {});
    if (!media.empty() && text.empty()) text = "[see the next message of the user]";
    AddToolMessage(upstream_id, ToolContent(text, block));
  }
  for (json::value& part : media) parts_.push_back(std::move(part));
  return absl::OkStatus();
}

json::value OpenAiConversation::ToolContent(std::string_view text, const json::object& block) {
  if (!options_.keep_cache_control || Find(block, "cache_control") == nullptr) return json::value(text, storage_);
  json::value part({{"type", "text"}, {"text", text}}, storage_);
  KeepCacheControl(block, &part);
  return json::array({std::move(part)}, storage_);
}

void OpenAiConversation::AddToolMessage(std::string_view id, json::value content) {
  json::object message = Message("tool", std::move(content));
  message["tool_call_id"] = id;
  messages_.push_back(std::move(message));
}

absl::Status OpenAiConversation::AddToolUse(const json::object& block) {
  const std::string_view id = CallId(FindText(block, "id"));
  const std::string_view name = FindText(block, "name");
  if (id.empty() || name.empty()) return Invalid("content: a tool_use needs an id and a name");
  const json::value* input = Find(block, "input");
  const std::string arguments = input == nullptr ? "{}" : ToJson(*input);
  json::object function({{"name", ToolName(name)}, {"arguments", arguments}}, storage_);
  std::string_view upstream_id = UpstreamId(id);
  if (upstream_ids_.contains(ToAbsl(upstream_id))) upstream_id = id;
  upstream_ids_.insert(std::string(upstream_id));
  calls_by_id_.Add(id, calls_.size());
  calls_.push_back({.upstream_id = std::string(upstream_id)});
  tool_calls_.push_back(
      json::object({{"id", upstream_id}, {"type", "function"}, {"function", std::move(function)}}, storage_));
  return absl::OkStatus();
}

std::string OpenAiConversation::ToolName(std::string_view name) const {
  return options_.for_gemini ? std::string(name) : ShortToolName(name, names_);
}

std::string_view OpenAiConversation::CallId(std::string_view id) const {
  return options_.for_gemini ? id : WithoutSignature(id);
}

void OpenAiConversation::AddAssistantText(const json::object& block) {
  const std::string_view text = FindText(block, "text");
  if (!after_text_ || parts_.empty() || !IsPlainText(parts_.back())) return PushText(text, block);
  parts_.back().get_object()["text"].as_string().append(text);
  KeepCacheControl(block, &parts_.back());
}

void OpenAiConversation::AddThinking(const json::object& block) {
  if (!options_.keep_reasoning) return Drop("thinking");
  const std::string_view thinking = FindText(block, "thinking");
  if (thinking.empty()) return;
  if (!reasoning_.empty()) reasoning_ += "\n\n";
  reasoning_ += thinking;
}

void OpenAiConversation::Flatten(const json::value& content, Paragraphs* text, json::array* media) {
  if (content.is_string()) return text->Add(View(content.get_string()));
  if (!content.is_array()) return;
  for (const json::value& block : content.get_array()) {
    if (block.is_object()) FlattenBlock(block.get_object(), text, media);
  }
}

void OpenAiConversation::FlattenBlock(const json::object& block, Paragraphs* text, json::array* media) {
  const std::string_view type = FindText(block, "type");
  if (type == "text") {
    text->Add(FindText(block, "text"));
  } else if (type == "image") {
    media->push_back(ImagePart(block));
  } else if (type == "document") {
    FlattenDocument(block, text, media);
  } else if (type == "search_result") {
    Paragraphs content = text->OpenDocument(FindText(block, "title"));
    content.Add(FindText(block, "source"));
    if (const json::value* blocks = Find(block, "content"); blocks != nullptr) Flatten(*blocks, &content, media);
    content.CloseDocument();
  } else if (type == "tool_reference") {
    const std::string_view name = FindText(block, "tool_name");
    loaded_tools_.insert(std::string(name));
    text->Add(std::string("Tool available: ").append(name));
  } else {
    Drop(type);
  }
}

void OpenAiConversation::FlattenDocument(const json::object& block, Paragraphs* text, json::array* media) {
  const json::object* source = FindObject(block, "source");
  const std::string_view kind = source == nullptr ? std::string_view() : FindText(*source, "type");
  const std::string_view title = FindText(block, "title");
  if (kind == "base64") {
    json::object file({{"filename", title.empty() ? "document.pdf" : title}, {"file_data", DataUrlOf(*source)}},
                      storage_);
    media->push_back(json::object({{"type", "file"}, {"file", std::move(file)}}, storage_));
    return text->Add(FindText(block, "context"));
  }
  Paragraphs content = text->OpenDocument(title);
  content.Add(FindText(block, "context"));
  if (kind == "text") {
    content.Add(FindText(*source, "data"));
  } else if (kind == "content") {
    if (const json::value* blocks = Find(*source, "content"); blocks != nullptr) Flatten(*blocks, &content, media);
  } else if (kind == "url") {
    AddNote(notes_, "document: by url, only the address is passed");
    content.Add(FindText(*source, "url"));
  } else {
    AddNote(notes_, "document: of a kind the upstream cannot read, omitted");
    content.Add("[document omitted]");
  }
  content.CloseDocument();
}

json::value OpenAiConversation::ImagePart(const json::object& block) {
  const json::object* source = FindObject(block, "source");
  const std::string_view kind = source == nullptr ? std::string_view() : FindText(*source, "type");
  if (kind != "base64" && kind != "url") {
    AddNote(notes_, "image: of a kind the upstream cannot read, omitted");
    return json::value({{"type", "text"}, {"text", "[image omitted]"}}, storage_);
  }
  const std::string url = kind == "base64" ? DataUrlOf(*source) : std::string(FindText(*source, "url"));
  json::object image({{"url", url}}, storage_);
  return json::value({{"type", "image_url"}, {"image_url", std::move(image)}}, storage_);
}

void OpenAiConversation::PushText(std::string_view text, const json::object& block) {
  if (text.empty()) return;
  parts_.push_back(json::object({{"type", "text"}, {"text", text}}, storage_));
  KeepCacheControl(block, &parts_.back());
}

void OpenAiConversation::KeepCacheControl(const json::object& block, json::value* part) {
  const json::value* mark = Find(block, "cache_control");
  if (options_.keep_cache_control && mark != nullptr) part->get_object()["cache_control"] = *mark;
}

json::value OpenAiConversation::JoinParts(json::array parts) {
  std::string text;
  Paragraphs joined(&text);
  for (const json::value& part : parts) {
    if (!IsPlainText(part)) return json::value(std::move(parts));
    joined.Add(FindText(part.get_object(), "text"));
  }
  return json::value(text, storage_);
}

json::object OpenAiConversation::Message(std::string_view role, json::value content) {
  return json::object({{"role", role}, {"content", std::move(content)}}, storage_);
}

void OpenAiConversation::Drop(std::string_view type) {
  constexpr size_t kMaxType = 64;
  AddNote(notes_, std::string(type.substr(0, kMaxType)) + " block: dropped");
}

}  // namespace ccr::proxy
