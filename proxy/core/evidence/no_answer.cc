#include "proxy/core/evidence/no_answer.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

constexpr size_t kMaxParsed = 64 * 1024;
constexpr std::string_view kBlanks = " \t\r\n";

bool HasAny(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [text](std::string_view word) {
    return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
  });
}

std::string_view WithoutBlanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

bool IsFilled(const json::value* value) {
  if (value == nullptr) return false;
  if (const json::string* text = value->if_string()) return !text->empty();
  if (const json::array* array = value->if_array()) return !array->empty();
  const json::object* object = value->if_object();
  return object != nullptr && !object->empty();
}

bool IsText(const json::object& object, std::string_view name, std::string_view text) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() && value->get_string() == json::string_view(text.data(), text.size());
}

bool ChoiceIsFilled(const json::value& choice) {
  const json::object* object = choice.if_object();
  if (object == nullptr) return false;
  for (const char* part : {"message", "delta"}) {
    const json::value* value = object->if_contains(part);
    const json::object* message = value == nullptr ? nullptr : value->if_object();
    if (message == nullptr) continue;
    for (const char* name : {"content", "tool_calls", "function_call", "reasoning_content", "reasoning", "refusal"})
      if (IsFilled(message->if_contains(name))) return true;
  }
  return IsFilled(object->if_contains("text"));
}

const json::array* FindList(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_array();
}

bool HoldsAnswer(const json::object& object) {
  const json::array* list = FindList(object, "choices");
  if (list != nullptr && std::any_of(list->begin(), list->end(), ChoiceIsFilled)) return true;
  for (const char* name : {"content", "candidates", "output", "data"})
    if (IsFilled(object.if_contains(name))) return true;
  return false;
}

// A number or a word that tells of failure.
bool IsFailureCode(const json::value* code) {
  if (code == nullptr) return false;
  if (code->is_int64()) return code->get_int64() != 0 && code->get_int64() != 200 && code->get_int64() != 20000;
  const json::string* word = code->if_string();
  if (word == nullptr || word->empty()) return false;
  const std::string text = absl::AsciiStrToLower(absl::string_view(word->data(), word->size()));
  return text != "0" && text != "200" && text != "ok" && text != "success";
}

// Whether it is an object that says anything, or a text, or true.
bool IsError(const json::value* error) {
  if (error == nullptr) return false;
  if (error->is_bool()) return error->get_bool();
  const json::object* object = error->if_object();
  if (object == nullptr) return error->is_string() && IsFilled(error);
  return std::any_of(object->begin(), object->end(), [](const json::key_value_pair& member) {
    return IsFilled(&member.value()) || IsFailureCode(&member.value()) || IsError(&member.value());
  });
}

bool HasError(const json::object& object) {
  return IsError(object.if_contains("error"));
}

// Of the first choice, which is empty.
const json::value* FindErrorOfChoice(const json::object& object) {
  const json::array* choices = FindList(object, "choices");
  const json::object* choice = choices == nullptr || choices->empty() ? nullptr : choices->front().if_object();
  const json::value* error = choice == nullptr ? nullptr : choice->if_contains("error");
  return IsError(error) ? error : nullptr;
}

// Whether an object that is no answer says why.
bool SaysWhy(const json::object& object) {
  const json::array* errors = FindList(object, "errors");
  if (errors != nullptr && !errors->empty()) return true;
  for (const char* name : {"message", "msg", "detail", "error_msg", "errorMessage"}) {
    const json::value* value = object.if_contains(name);
    if (value != nullptr && value->is_string() && IsFilled(value)) return true;
  }
  return false;
}

bool IsEnvelopeOfFailure(const json::object& object) {
  if (const json::value* base = object.if_contains("base_resp"); base != nullptr && base->is_object())
    return IsFailureCode(base->get_object().if_contains("status_code"));
  const json::value* success = object.if_contains("success");
  if (success != nullptr && success->is_bool() && success->get_bool()) return false;
  const bool says = IsFilled(object.if_contains("message")) || IsFilled(object.if_contains("msg"));
  if (IsFailureCode(object.if_contains("code")) && (says || success != nullptr)) return true;
  return IsFailureCode(object.if_contains("error_code")) && IsFilled(object.if_contains("error_msg"));
}

// The object in `text`, or the first of the array that it is; empty when it is something else.
json::object ParseFirstObject(std::string_view text) {
  json::error_code failed;
  json::value parsed = json::parse({text.data(), text.size()}, failed);
  if (failed) return {};
  if (parsed.is_array() && !parsed.get_array().empty()) parsed = json::value(std::move(parsed.get_array().front()));
  return parsed.is_object() ? std::move(parsed.get_object()) : json::object();
}

std::optional<std::string> ErrorOf(const json::object& object, std::string_view document) {
  const bool error = HasError(object);
  const bool type = IsText(object, "type", "error") || IsText(object, "object", "error");
  const json::value* of_choice = FindErrorOfChoice(object);
  if ((!error && !type && of_choice == nullptr && !IsEnvelopeOfFailure(object)) || HoldsAnswer(object))
    return std::nullopt;
  if (!error && of_choice != nullptr) return R"({"error":)" + std::string(json::serialize(*of_choice)) + "}";
  if (!error && type) return R"({"error":)" + std::string(json::serialize(object)) + "}";
  return document.starts_with('{') ? std::string(document) : std::string(json::serialize(object));
}

// Two passes over an answer: an envelope has a "code", a "status_code" or an "error_code".
bool MayBeError(std::string_view text) {
  return HasAny(text, {R"("error")", R"(code")"});
}

// The member is nowhere, or null or an empty list where it stands first.
bool MayLack(std::string_view text, std::string_view promised) {
  const std::string name = absl::StrCat("\"", ToAbsl(promised), "\"");
  const void* found = memmem(text.data(), text.size(), name.data(), name.size());
  if (found == nullptr) return true;
  text.remove_prefix(static_cast<size_t>(static_cast<const char*>(found) - text.data()) + name.size());
  text = WithoutBlanks(text);
  if (!text.starts_with(':')) return false;
  text = WithoutBlanks(text.substr(1));
  return text.starts_with('n') || (text.starts_with('[') && WithoutBlanks(text.substr(1)).starts_with(']'));
}

bool Lacks(const json::object& object, std::string_view promised) {
  const json::value* value = object.if_contains(promised);
  const bool blocked = promised == "candidates" && IsFilled(object.if_contains("promptFeedback"));
  const bool later = object.size() == 1 && object.contains("request_id");
  if (blocked || later) return false;
  if (value == nullptr || value->is_null()) return true;
  const bool may_be_empty = promised == "content" || promised == "data";
  return !may_be_empty && value->is_array() && value->get_array().empty();
}

// Whether the object or list has no end. What is no JSON document is neither.
bool IsCutOff(std::string_view body) {
  const char last = body[body.find_last_not_of(kBlanks)];
  return (body.starts_with('{') && last != '}') || (body.starts_with('[') && last != ']');
}

}  // namespace

std::optional<std::string> FindErrorObject(std::string_view document) {
  if (!MayBeError(document)) return std::nullopt;
  document = WithoutBlanks(document);
  return ErrorOf(ParseFirstObject(document), document);
}

std::optional<NoAnswer> FindNoAnswer(std::string_view body, std::string_view promised) {
  body = WithoutBlanks(body);
  if (body.empty()) return NoAnswer{"", "an empty body"};
  if (IsMarkup(body)) return NoAnswer{"", "a page of HTML or XML"};
  if (IsCutOff(body)) return NoAnswer{"", "the beginning of a JSON document"};
  if (body.size() > kMaxParsed) return std::nullopt;
  const bool may_lack = !promised.empty() && MayLack(body, promised);
  if (!may_lack && !MayBeError(body)) return std::nullopt;
  const json::object object = ParseFirstObject(body);
  if (std::optional<std::string> error = ErrorOf(object, body)) return NoAnswer{*std::move(error), {}};
  const bool unreadable = object.empty() && body.find(promised) != body.npos;
  if (!may_lack || unreadable || !Lacks(object, promised)) return std::nullopt;
  if (SaysWhy(object) && body.starts_with('{')) return NoAnswer{std::string(body), {}};
  return NoAnswer{"", absl::StrCat("no ", ToAbsl(promised))};
}

bool HasEmptyChoices(std::string_view document) {
  if (document.find(R"("choices")") == document.npos || !MayLack(document, "choices")) return false;
  const json::object object = ParseFirstObject(document);
  return object.contains("choices") && Lacks(object, "choices");
}

bool IsMarkup(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return WithoutBlanks(text).starts_with('<');
}

}  // namespace ccr::proxy
