#include "broker/adapters/probe/error_body.h"

#include <boost/json.hpp>
#include <string>

namespace ccr {
namespace {

namespace json = boost::json;

const json::value* Member(const json::object& object, std::string_view name) {
  return object.if_contains({name.data(), name.size()});
}

const json::object* Object(const json::object& object, std::string_view name) {
  const json::value* const value = Member(object, name);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* Array(const json::object& object, std::string_view name) {
  const json::value* const value = Member(object, name);
  return value == nullptr ? nullptr : value->if_array();
}

std::string_view Text(const json::object& object, std::string_view name) {
  const json::value* const value = Member(object, name);
  const json::string* const text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

std::string Code(const json::object& object, std::string_view name) {
  const json::value* const value = Member(object, name);
  if (value != nullptr && value->is_int64()) return std::to_string(value->get_int64());
  return std::string(Text(object, name));
}

void ReadError(const json::object& error, core::Evidence* evidence) {
  evidence->error_type = Text(error, Text(error, "type").empty() ? "status" : "type");
  evidence->error_code = Code(error, "code");
  evidence->message = Text(error, "message").substr(0, kMaxErrorMessage);
  const json::array* const details = Array(error, "details");
  if (details == nullptr) return;
  for (const json::value& detail : *details) {
    const std::string_view reason = detail.is_object() ? Text(detail.get_object(), "reason") : std::string_view();
    if (!reason.empty()) evidence->error_code = reason;
  }
}

void ReadTop(const json::object& top, core::Evidence* evidence) {
  ReadError(top, evidence);
  const json::value* const success = Member(top, "success");
  const bool failed = success != nullptr && success->is_bool() && !success->get_bool();
  if (evidence->error_type.empty() && failed) evidence->error_type = "envelope";
  const std::string_view error = Text(top, "error");
  if (!error.empty() && error.find(' ') == error.npos) evidence->error_type = error;
  for (const std::string_view name : {"error", "msg", "detail", "error_msg", "errorMessage"}) {
    if (evidence->message.empty()) evidence->message = Text(top, name).substr(0, kMaxErrorMessage);
  }
}

}  // namespace

void ReadErrorBody(std::string_view body, core::Evidence* evidence) {
  json::error_code failed;
  const json::value parsed = json::parse({body.data(), body.size()}, failed);
  if (failed) return;
  const json::array* const list = parsed.if_array();
  const json::object* const top = list != nullptr && !list->empty() ? list->front().if_object() : parsed.if_object();
  if (top == nullptr) return;
  const json::array* const errors = Array(*top, "errors");
  if (const json::object* const error = Object(*top, "error")) {
    ReadError(*error, evidence);
  } else if (errors != nullptr && !errors->empty()) {
    if (errors->front().is_object()) ReadError(errors->front().get_object(), evidence);
  } else if (const json::object* const base = Object(*top, "base_resp")) {
    evidence->error_type = "base_resp";
    evidence->error_code = Code(*base, "status_code");
    evidence->message = Text(*base, "status_msg").substr(0, kMaxErrorMessage);
  } else {
    ReadTop(*top, evidence);
  }
}

}  // namespace ccr
