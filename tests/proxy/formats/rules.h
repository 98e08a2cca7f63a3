// What the validators have in common: members of a JSON text, each as its specification wants it.
#pragma once

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ccr::proxy {

namespace json = boost::json;

namespace rules {

// Throws what is wrong. Every Check catches it.
inline void Require(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string(what));
}

// `what` names the value to the reader of the error.
inline const json::object& Object(const json::value& value, std::string_view what) {
  Require(value.is_object(), std::string(what) + " must be an object");
  return value.get_object();
}

inline const json::array& Array(const json::value& value, std::string_view what) {
  Require(value.is_array(), std::string(what) + " must be an array");
  return value.get_array();
}

inline std::string Text(const json::value& value, std::string_view what = "a value") {
  Require(value.is_string(), std::string(what) + " must be a string");
  return {value.get_string().data(), value.get_string().size()};
}

inline const json::value& Member(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  Require(value != nullptr, std::string(key) + " is missing in " + json::serialize(object));
  return *value;
}

inline const json::object& Object(const json::object& object, std::string_view key) {
  return Object(Member(object, key), key);
}

inline std::string Text(const json::object& object, std::string_view key) {
  return Text(Member(object, key), key);
}

inline int64_t Int(const json::object& object, std::string_view key) {
  const json::value& value = Member(object, key);
  Require(value.is_int64(), std::string(key) + " must be an integer");
  return value.get_int64();
}

inline bool OneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

template <typename Names>
void OnlyMembers(const json::object& object, const Names& names, std::string_view what) {
  for (const auto& member : object) {
    Require(std::find(names.begin(), names.end(), std::string_view(member.key())) != names.end(),
            "unknown member " + std::string(member.key()) + " of " + std::string(what));
  }
}

inline void OnlyMembers(const json::object& object, std::initializer_list<std::string_view> names,
                        std::string_view what) {
  OnlyMembers<std::initializer_list<std::string_view>>(object, names, what);
}

// [a-zA-Z0-9_-]{1,max}
inline bool IsName(std::string_view name, size_t max) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !name.empty() && name.size() <= max && name.find_first_not_of(kCharacters) == name.npos;
}

inline json::value ParseStrictly(std::string_view text, std::string_view what = "the body") {
  json::error_code error;
  json::parse_options options;
  options.max_depth = 1000;
  json::value value = json::parse(text, error, {}, options);
  Require(!error, std::string(what) + " is not JSON: " + error.message() + ": " + std::string(text.substr(0, 200)));
  return value;
}

}  // namespace rules
}  // namespace ccr::proxy
