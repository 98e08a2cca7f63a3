#include "broker/config/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <istream>
#include <iterator>
#include <limits>
#include <map>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

namespace ccr {
namespace {

constexpr size_t kMaxAliasedNodes = 1'000'000;

// Reads from memory without a copy.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

bool ParseCoreNumber(std::string_view text, double* out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF") {
    *out = std::numeric_limits<double>::infinity();
  } else if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    *out = std::numeric_limits<double>::quiet_NaN();
  } else if (text.starts_with("0x")) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    *out = static_cast<double>(value);
  } else {
    if (text.empty() || text.find_first_of("0123456789.") != 0) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
    if (error != std::errc() || end != text.data() + text.size()) return false;
  }
  if (negative) *out = -*out;
  return true;
}

// A scalar without quotes.
Node ResolvePlain(const std::string& text) {
  Node node;
  if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") {
    node.kind = Node::Kind::kBool;
    node.boolean = text[0] == 't' || text[0] == 'T';
  } else if (ParseCoreNumber(text, &node.number)) {
    node.kind = Node::Kind::kNumber;
  } else {
    node.kind = Node::Kind::kString;
    node.text = text;
  }
  return node;
}

size_t CountNodes(const Node& node) {
  size_t count = 1;
  for (const Node& item : node.items) count += CountNodes(item);
  for (const Node::Entry& entry : node.entries) count += CountNodes(entry.value);
  return count;
}

// Builds the tree from the parser's events. Its own complaints leave as YAML::ParserException, as the parser's do.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Node* root) : root_(root) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Add(mark, anchor, Node()); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const bool is_text = tag == "!" || tag == "tag:yaml.org,2002:str" || NeedsName();
    Node node = is_text ? Node() : ResolvePlain(text);
    if (is_text) node.kind = Node::Kind::kString, node.text = text;
    Add(mark, anchor, std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw YAML::ParserException(mark, "an alias inside its own anchor");
    aliased_nodes_ += CountNodes(found->second);
    if (aliased_nodes_ > kMaxAliasedNodes) throw YAML::ParserException(mark, "aliases make this file too large");
    Add(mark, 0, found->second);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, anchor, Node::Kind::kList);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, anchor, Node::Kind::kMap);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override {
    Merge(&open_.back().node);
    Close();
  }

 private:
  struct Frame {
    Node node;
    YAML::Mark mark;
    YAML::anchor_t anchor;
    bool has_name = false;  // of a map: the next node is the value of its last entry
  };

  bool NeedsName() const {
    return !open_.empty() && open_.back().node.kind == Node::Kind::kMap && !open_.back().has_name;
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, Node::Kind kind) {
    if (open_.size() > kMaxNesting) {
      throw YAML::ParserException(mark, "nested deeper than " + std::to_string(kMaxNesting) + " levels");
    }
    if (NeedsName()) throw YAML::ParserException(mark, "the name of a field must be text");
    Frame& frame = open_.emplace_back(Frame{.node = {}, .mark = mark, .anchor = anchor});
    frame.node.kind = kind;
  }

  void Close() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    Add(frame.mark, frame.anchor, std::move(frame.node));
  }

  // Puts a complete node where it belongs.
  void Add(const YAML::Mark& mark, YAML::anchor_t anchor, Node node) {
    node.line = mark.line + 1;
    node.begin = static_cast<size_t>(std::max(mark.pos, 0));
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      *root_ = std::move(node);
      return;
    }
    Frame& parent = open_.back();
    if (parent.node.kind == Node::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.has_name) {
      parent.node.entries.back().value = std::move(node);
      parent.has_name = false;
    } else {
      if (node.kind != Node::Kind::kString) throw YAML::ParserException(mark, "the name of a field must be text");
      parent.node.entries.push_back({std::move(node.text), node.line, node.begin, Node()});
      parent.has_name = true;
    }
  }

  // Replaces "<<: *map" by those of its entries that the map does not have itself.
  static void Merge(Node* map) {
    std::vector<Node::Entry> inherited;
    std::erase_if(map->entries, [&inherited](Node::Entry& entry) {
      if (entry.name != "<<" || entry.value.kind != Node::Kind::kMap) return false;
      std::move(entry.value.entries.begin(), entry.value.entries.end(), std::back_inserter(inherited));
      return true;
    });
    for (Node::Entry& entry : inherited) {
      const auto same = [&entry](const Node::Entry& own) { return own.name == entry.name; };
      if (std::none_of(map->entries.begin(), map->entries.end(), same)) map->entries.push_back(std::move(entry));
    }
  }

  Node* const root_;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  size_t aliased_nodes_ = 0;
};

}  // namespace

bool ParseYaml(std::string_view text, Node* root, SyntaxError* error) {
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    TreeBuilder builder(root);
    if (!parser.HandleNextDocument(builder)) return true;
    Node second;
    TreeBuilder rest(&second);
    if (!parser.HandleNextDocument(rest)) return true;
    *error = {second.line, 1, "a second document begins here: keep one"};
  } catch (const YAML::Exception& e) {
    *error = {e.mark.line + 1, e.mark.column + 1, e.msg.substr(0, e.msg.find(':'))};
  }
  return false;
}

}  // namespace ccr
