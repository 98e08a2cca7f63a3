#include "proxy/core/evidence/stream_opening.h"

#include <algorithm>
#include <boost/json.hpp>

#include "proxy/core/evidence/no_answer.h"
#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kDone = "[DONE]";

// What a stream of Responses begins with, before anything is known of the answer.
bool IsAnnouncement(std::string_view name) {
  return name == "response.created" || name == "response.queued" || name == "response.in_progress";
}

// Empty when it is no object.
json::object ParseEvent(std::string_view text) {
  json::error_code failed;
  json::value parsed = json::parse({text.data(), text.size()}, failed);
  return !failed && parsed.is_object() ? std::move(parsed.get_object()) : json::object();
}

// Of the event that ends a stream of Responses without an answer.
std::string ErrorOfResponse(std::string_view data) {
  const json::object event = ParseEvent(data);
  const json::value* response = event.if_contains("response");
  const json::object* inner = response == nullptr ? nullptr : response->if_object();
  const json::value* error = inner == nullptr ? nullptr : inner->if_contains("error");
  if (error == nullptr || !error->is_object()) return R"({"error":{"message":"the provider's answer failed"}})";
  return R"({"error":)" + std::string(json::serialize(*error)) + "}";
}

}  // namespace

StreamOpening::Kind StreamOpening::Feed(std::string_view bytes) {
  while (kind_ == Kind::kUndecided && !bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (end == bytes.npos) {
      line_ += bytes;
      break;
    }
    if (line_.empty()) {
      Line(bytes.substr(0, end));
    } else {
      line_ += bytes.substr(0, end);
      Line(line_);
      line_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  return kind_;
}

StreamOpening::Kind StreamOpening::Finish() {
  if (kind_ == Kind::kUndecided) Line(line_);
  if (kind_ == Kind::kUndecided) Dispatch();
  return kind_;
}

void StreamOpening::Line(std::string_view line) {
  if (first_line_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  first_line_ = false;
  if (line.ends_with('\r')) line.remove_suffix(1);
  document_ |= !has_data_ && (line.starts_with('{') || line.starts_with('['));
  if (document_) return DocumentLine(line);
  if (line.empty()) return Dispatch();
  const size_t colon = std::min(line.find(':'), line.size());
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") {
    name_ = value;
  } else if (field == "data") {
    if (has_data_) data_ += '\n';
    has_data_ = true;
    data_ += value;
  }
}

void StreamOpening::DocumentLine(std::string_view line) {
  if (has_data_) data_ += '\n';
  has_data_ = true;
  data_ += line;
  if (!nesting_.Ends(line)) return;
  const std::string document = std::move(data_);
  Judge({}, document);
}

void StreamOpening::Dispatch() {
  if (!data_.empty()) Judge(name_, data_);
  name_.clear();
  data_.clear();
  has_data_ = false;
}

void StreamOpening::Judge(std::string_view name, std::string_view data) {
  if (name == "ping" || data == kDone) return;
  kind_ = Kind::kAnswer;
  std::optional<std::string> error = FindErrorObject(data);
  const json::object named = name == "error" ? ParseEvent(data) : json::object();
  if (name == "error" && !named.contains("error")) {
    error = R"({"error":)" +
            (named.empty() ? R"({"message":)" + JsonString(data) + "}" : std::string(json::serialize(named))) + "}";
  }
  if (name == "response.failed" && !error) error = ErrorOfResponse(data);
  if (error) {
    error_ = *std::move(error);
    kind_ = Kind::kError;
  } else if (data.find(R"("ping")") != data.npos) {
    const json::object object = ParseEvent(data);
    const json::value* type = object.if_contains("type");
    if (type != nullptr && *type == "ping") kind_ = Kind::kUndecided;
  } else if (IsAnnouncement(name) || HasEmptyChoices(data)) {
    kind_ = Kind::kUndecided;
  }
}

bool StreamOpening::Nesting::Ends(std::string_view text) {
  for (const char c : text) {
    if (escaped_) {
      escaped_ = false;
    } else if (in_text_) {
      escaped_ = c == '\\';
      in_text_ = c != '"';
    } else if (c == '"') {
      in_text_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      --depth_;
    }
  }
  return depth_ <= 0;
}

}  // namespace ccr::proxy
