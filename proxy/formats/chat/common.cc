#include "proxy/formats/chat/common.h"

namespace ccr::proxy::chat {

json::value Take(json::object* from, std::string_view key) {
  const auto member = from->find({key.data(), key.size()});
  if (member == from->end()) return json::value(nullptr, from->storage());
  json::value value = std::move(member->value());
  from->stable_erase(member);
  return value;
}

std::string TakeText(json::object* from, std::string_view key) {
  const auto member = from->find({key.data(), key.size()});
  if (member == from->end() || !member->value().is_string()) return {};
  std::string text(View(member->value().get_string()));
  from->stable_erase(member);
  return text;
}

std::string TakeWords(json::object* from, std::string_view key) {
  return FindText(*from, key).empty() ? std::string() : TakeText(from, key);
}

std::string IdOf(const json::object& holder, std::string_view key) {
  const json::value* id = Find(holder, key);
  if (id == nullptr) return {};
  if (id->is_string()) return std::string(View(id->get_string()));
  return id->is_number() ? ToJson(*id) : std::string();
}

std::string* ObjectWriter::Key(std::string_view key) {
  if (!first_) *out_ += ',';
  first_ = false;
  AppendJsonString(key, out_);
  *out_ += ':';
  if (keys_ != nullptr) keys_->insert(std::string(key));
  return out_;
}

void ObjectWriter::Members(const json::object* members) {
  if (members == nullptr) return;
  for (const json::key_value_pair& member : *members) Json({member.key().data(), member.key().size()}, member.value());
}

}  // namespace ccr::proxy::chat
