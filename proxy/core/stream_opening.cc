#include "proxy/core/stream_opening.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "proxy/core/json_text.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::array<std::string_view, 3> kErrorDocuments = {R"({"error":)", R"([{"error":)", R"({"type":"error")"};

bool Holds(std::string_view text, std::string_view word) {
  return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

// Appends `text` without white space to the beginning of a document; whether that may still be an error's.
bool MayBeError(std::string_view text, std::string* begin_of_document) {
  std::string& begin = *begin_of_document;
  for (size_t i = 0; i < text.size() && begin.size() < 16; ++i) {
    if (std::string_view(" \t\r\n").find(text[i]) == std::string_view::npos) begin += text[i];
  }
  return std::any_of(kErrorDocuments.begin(), kErrorDocuments.end(), [&begin](std::string_view known) {
    const size_t size = std::min(known.size(), begin.size());
    return known.substr(0, size) == std::string_view(begin).substr(0, size);
  });
}

// The object in `text`, or the first of the array that it is; null when it is something else.
json::object ParseObject(std::string_view text) {
  json::error_code failed;
  json::value parsed = json::parse({text.data(), text.size()}, failed);
  if (failed) return {};
  if (parsed.is_array() && !parsed.get_array().empty()) parsed = json::value(std::move(parsed.get_array().front()));
  return parsed.is_object() ? std::move(parsed.get_object()) : json::object();
}

bool IsOfType(const json::object& object, std::string_view type) {
  const json::value* value = object.if_contains("type");
  return value != nullptr && value->is_string() && value->get_string() == json::string_view(type.data(), type.size());
}

bool HasError(const json::object& object) {
  const json::value* error = object.if_contains("error");
  if (error == nullptr) return false;
  return (error->is_object() && !error->get_object().empty()) || (error->is_string() && !error->get_string().empty());
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
  if (kind_ == Kind::kUndecided) kind_ = Kind::kAnswer;
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
  if (!MayBeError(line, &document_begin_)) kind_ = Kind::kAnswer;
}

void StreamOpening::Dispatch() {
  if (!data_.empty()) Judge(name_, data_);
  name_.clear();
  data_.clear();
  has_data_ = false;
}

void StreamOpening::Judge(std::string_view name, std::string_view data) {
  const bool named_error = name == "error";
  if (name == "ping") return;
  kind_ = Kind::kAnswer;
  if (!named_error && !Holds(data, "\"error\"") && !Holds(data, "\"ping\"")) return;
  const json::object object = ParseObject(data);
  if (IsOfType(object, "ping")) {
    kind_ = Kind::kUndecided;
  } else if (HasError(object)) {
    error_ = data.starts_with('[') ? std::string(json::serialize(object)) : std::string(data);
    kind_ = Kind::kError;
  } else if (named_error || IsOfType(object, "error")) {
    error_ = object.empty() ? R"({"error":{"message":)" + JsonString(data) + "}}"
                            : R"({"error":)" + std::string(json::serialize(object)) + "}";
    kind_ = Kind::kError;
  }
}

std::optional<std::string> FindErrorDocument(std::string_view body) {
  std::string begin;
  if (!MayBeError(body, &begin)) return std::nullopt;
  body.remove_prefix(std::min(body.find_first_not_of(" \t\r\n"), body.size()));
  StreamOpening opening;
  opening.Feed(body);
  if (opening.Finish() != StreamOpening::Kind::kError) return std::nullopt;
  return opening.error();
}

}  // namespace ccr::proxy
