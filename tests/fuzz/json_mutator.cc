// A mutator for targets that read JSON or events of JSON: it changes the tree, so that most of what it makes is still
// JSON and gets past the parser. Link it to a target to have it used.
#include <algorithm>
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace ccr::fuzz {
namespace {

namespace json = boost::json;
using Dice = std::minstd_rand;

size_t Roll(Dice& dice, size_t sides) {
  return dice() % sides;
}

void Collect(json::value& value, std::vector<json::value*>* nodes) {
  nodes->push_back(&value);
  if (json::object* object = value.if_object(); object != nullptr) {
    for (auto& member : *object) Collect(member.value(), nodes);
  }
  if (json::array* array = value.if_array(); array != nullptr) {
    for (json::value& element : *array) Collect(element, nodes);
  }
}

json::value Odd(Dice& dice) {
  static const std::vector<json::value> kOdd = {
      nullptr, true, false,        0,     1,         -1,          0.5,    1e300,         18446744073709551615u, "",
      " ",     "0",  "\xC3\xA9\"", "[1]", "{\"a\":", "{\"a\":1}", "text", json::array{}, json::object{},        "\x01"};
  return kOdd[Roll(dice, kOdd.size())];
}

void MutateText(json::string* text) {
  constexpr size_t kMaxText = 64;
  uint8_t bytes[kMaxText] = {};
  size_t size = std::min(text->size(), kMaxText - 1);
  std::memcpy(bytes, text->data(), size);
  if (size == 0) bytes[size++] = 'a';
  text->assign(reinterpret_cast<const char*>(bytes), LLVMFuzzerMutate(bytes, size, kMaxText));
}

void MutateObject(Dice& dice, const std::vector<json::value*>& nodes, json::object* object) {
  if (object->empty()) {
    (*object)["type"] = Odd(dice);
    return;
  }
  const auto member = object->begin() + static_cast<std::ptrdiff_t>(Roll(dice, object->size()));
  json::value other = *nodes[Roll(dice, nodes.size())];
  switch (Roll(dice, 3)) {
    case 0:
      object->erase(member);
      break;
    case 1:
      member->value() = std::move(other);
      break;
    default:
      if (!other.is_object() || other.get_object().empty()) return;
      const json::key_value_pair& stolen = *other.get_object().begin();
      (*object)[stolen.key()] = stolen.value();
  }
}

void MutateArray(Dice& dice, const std::vector<json::value*>& nodes, json::array* array) {
  const size_t at = array->empty() ? 0 : Roll(dice, array->size());
  const auto place = array->begin() + static_cast<std::ptrdiff_t>(at);
  json::value other = array->empty() || Roll(dice, 3) == 0 ? *nodes[Roll(dice, nodes.size())] : *place;
  switch (Roll(dice, 3)) {
    case 0:
      if (!array->empty()) array->erase(place);
      break;
    case 1:
      array->insert(place, std::move(other));
      break;
    default:
      if (!array->empty()) std::swap((*array)[at], (*array)[Roll(dice, array->size())]);
  }
}

void MutateTree(Dice& dice, json::value* tree) {
  std::vector<json::value*> nodes;
  Collect(*tree, &nodes);
  json::value& node = *nodes[Roll(dice, nodes.size())];
  const size_t way = Roll(dice, 8);
  if (way == 0) {
    node = Odd(dice);
  } else if (way == 1) {
    json::value other = *nodes[Roll(dice, nodes.size())];
    node = std::move(other);
  } else if (json::object* object = node.if_object(); object != nullptr) {
    MutateObject(dice, nodes, object);
  } else if (json::array* array = node.if_array(); array != nullptr) {
    MutateArray(dice, nodes, array);
  } else if (json::string* text = node.if_string(); text != nullptr) {
    MutateText(text);
  } else {
    node = Odd(dice);
  }
}

std::string MutateJson(Dice& dice, std::string_view text) {
  json::error_code error;
  json::value tree = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return std::string(text);
  for (size_t n = 1 + Roll(dice, 3); n > 0; --n) MutateTree(dice, &tree);
  return json::serialize(tree);
}

// Splits behind each line's end.
std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

// One line's JSON, or the lines' order.
std::string MutateEvents(Dice& dice, std::string_view text) {
  constexpr std::string_view kData = "data:";
  std::vector<std::string> lines = Lines(text);
  const size_t at = Roll(dice, lines.size());
  const auto place = lines.begin() + static_cast<std::ptrdiff_t>(at);
  if (lines[at].starts_with(kData) && Roll(dice, 4) != 0) {
    lines[at] = std::string(kData) + MutateJson(dice, std::string_view(lines[at]).substr(kData.size())) + "\n";
  } else if (Roll(dice, 3) == 0) {
    lines.erase(place);
  } else {
    const std::string other = lines[Roll(dice, lines.size())];
    lines.insert(place, other.starts_with(kData) ? other + "\n" : other);
  }
  std::string joined;
  for (const std::string& line : lines) joined += line;
  return joined;
}

}  // namespace
}  // namespace ccr::fuzz

// The last byte is the target's choice, the rest JSON or events.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace ccr::fuzz;
  Dice dice(seed);
  if (size < 2 || Roll(dice, 4) == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string_view text(reinterpret_cast<const char*>(data), size - 1);
  const bool events = text.find("data:") != text.npos && text[0] != '{';
  std::string mutated = events ? MutateEvents(dice, text) : MutateJson(dice, text);
  mutated += static_cast<char>(Roll(dice, 4) == 0 ? dice() : data[size - 1]);
  if (mutated.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}
