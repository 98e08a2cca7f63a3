#include "proxy/formats/anthropic/content_reader.h"

#include <cstddef>
#include <string>
#include <utility>

#include "proxy/formats/anthropic/json_move.h"

namespace ccr::proxy::anthropic {
namespace {

constexpr std::string_view kAnyImage = "image/*";

Part& AddPart(PartKind kind, std::vector<Part>* parts) {
  Part& part = parts->emplace_back();
  part.kind = kind;
  return part;
}

std::string_view SourceKind(const json::object& block) {
  const json::object* source = FindObject(block, "source");
  return source == nullptr ? std::string_view() : FindText(*source, "type");
}

// Paragraphs of a text, apart by a blank line. Where texts nest, the inner ones go to the same string, which is longer
// by all that stands around them.
class Paragraphs {
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

// Nothing where the source is of a kind that is not known.
bool ReadMedia(const json::object& source, std::string_view any_type, Media* media) {
  const std::string_view kind = FindText(source, "type");
  if (kind == "base64" || kind == "text") {
    media->source = kind == "text" ? Media::Source::kText : Media::Source::kBase64;
    media->type = FindText(source, "media_type");
    media->data = FindText(source, "data");
    if (media->type.empty()) media->type = kind == "text" ? std::string_view("text/plain") : any_type;
    return true;
  }
  if (kind != "url" && kind != "file") return false;
  media->source = kind == "url" ? Media::Source::kUrl : Media::Source::kFileId;
  media->type = any_type;
  media->data = FindText(source, kind == "url" ? "url" : "file_id");
  return true;
}

// The text of a block that is taken whole, and the media in it.
class Flattener {
 public:
  explicit Flattener(std::vector<Part>* media) : media_(media) {}

  void Add(const json::value& content, Paragraphs* text) {
    if (content.is_string()) return text->Add(View(content.get_string()));
    if (!content.is_array()) return;
    for (const json::value& block : content.get_array()) {
      if (block.is_object()) AddBlock(block.get_object(), text);
    }
  }

  void AddBlock(const json::object& block, Paragraphs* text) {
    const std::string_view type = FindText(block, "type");
    if (type == "text") {
      text->Add(FindText(block, "text"));
    } else if (type == "image") {
      AddImage(block, text);
    } else if (type == "document") {
      AddDocument(block, text);
    } else if (type == "search_result") {
      Paragraphs content = text->OpenDocument(FindText(block, "title"));
      content.Add(FindText(block, "source"));
      if (const json::value* blocks = Find(block, "content"); blocks != nullptr) Add(*blocks, &content);
      content.CloseDocument();
    } else if (type == "tool_reference") {
      text->Add(std::string("Tool available: ").append(FindText(block, "tool_name")));
    }
  }

 private:
  void AddImage(const json::object& block, Paragraphs* text) {
    const json::object* source = FindObject(block, "source");
    Media media;
    if (source == nullptr || !ReadMedia(*source, kAnyImage, &media)) return text->Add("[image omitted]");
    AddMedia(std::move(media));
  }

  void AddDocument(const json::object& block, Paragraphs* text) {
    const json::object* source = FindObject(block, "source");
    const std::string_view kind = SourceKind(block);
    if (kind == "base64") {
      Media media;
      ReadMedia(*source, "application/pdf", &media);
      media.name = FindText(block, "title");
      AddMedia(std::move(media));
      return text->Add(FindText(block, "context"));
    }
    Paragraphs content = text->OpenDocument(FindText(block, "title"));
    content.Add(FindText(block, "context"));
    if (kind == "text") {
      content.Add(FindText(*source, "data"));
    } else if (kind == "content") {
      if (const json::value* blocks = Find(*source, "content"); blocks != nullptr) Add(*blocks, &content);
    } else if (kind == "url") {
      content.Add(FindText(*source, "url"));
    } else {
      content.Add("[document omitted]");
    }
    content.CloseDocument();
  }

  void AddMedia(Media media) {
    Part& part = AddPart(PartKind::kMedia, media_);
    part.media = std::move(media);
    part.own[kPartOfWhole] = true;
  }

  std::vector<Part>* const media_;
};

void AddFlattened(json::object* block, std::vector<Part>* parts) {
  std::string text;
  std::vector<Part> media;
  Paragraphs paragraphs(&text);
  Flattener(&media).AddBlock(*block, &paragraphs);
  const Part& whole = AddWhole(block, text, parts);
  if (!media.empty()) media.back().cache_control = whole.cache_control;
  for (Part& part : media) parts->push_back(std::move(part));
}

void ReadImage(json::object* block, std::vector<Part>* parts) {
  const json::object* source = FindObject(*block, "source");
  Media media;
  if (source == nullptr || !ReadMedia(*source, kAnyImage, &media)) return AddFlattened(block, parts);
  Part& part = AddPart(PartKind::kMedia, parts);
  part.media = std::move(media);
  TakeMark(block, &part);
  Adopt(TakeOthers(block, {"type", "source", "cache_control"}), &part.own);
}

void ReadDocument(json::object* block, std::vector<Part>* parts) {
  const json::object* source = FindObject(*block, "source");
  const std::string_view any_type = SourceKind(*block) == "file" ? "" : "application/pdf";
  Media media;
  if (source == nullptr || !FindText(*block, "context").empty() || !ReadMedia(*source, any_type, &media)) {
    return AddFlattened(block, parts);
  }
  Part& part = AddPart(PartKind::kMedia, parts);
  part.media = std::move(media);
  part.media.name = FindText(*block, "title");
  TakeMark(block, &part);
  Adopt(TakeOthers(block, {"type", "source", "title", "cache_control"}), &part.own);
}

}  // namespace

void ReadContent(json::value* content, std::vector<Part>* parts) {
  if (const json::string* text = content->if_string(); text != nullptr && !text->empty()) {
    AddPart(PartKind::kText, parts).text = View(*text);
  }
  json::array* blocks = content->if_array();
  for (size_t i = 0; blocks != nullptr && i < blocks->size(); ++i) {
    if (json::object* block = (*blocks)[i].if_object(); block != nullptr) ReadContentBlock(block, parts);
  }
}

void ReadContentBlock(json::object* block, std::vector<Part>* parts) {
  const std::string_view type = FindText(*block, "type");
  if (type == "text") return ReadTextBlock(block, parts);
  if (type == "image") return ReadImage(block, parts);
  if (type == "document") return ReadDocument(block, parts);
  if (type == "search_result") return AddFlattened(block, parts);
  if (type == "tool_reference") {
    const std::string name(FindText(*block, "tool_name"));
    AddWhole(block, "Tool available: " + name, parts).name = name;
    return;
  }
  AddWhole(block, {}, parts);
}

void ReadTextBlock(json::object* block, std::vector<Part>* parts) {
  const std::string_view text = FindText(*block, "text");
  if (text.empty()) return;
  Part& part = AddPart(PartKind::kText, parts);
  part.text = text;
  if (block->size() == 2) return;
  TakeMark(block, &part);
  Adopt(TakeOthers(block, {"type", "text", "cache_control"}), &part.own);
}

Part& AddWhole(json::object* block, std::string_view text, std::vector<Part>* parts) {
  Part& part = AddPart(PartKind::kOther, parts);
  part.text = text;
  TakeMark(block, &part);
  Adopt(TakeOthers(block, {"cache_control"}), &part.own);
  return part;
}

void TakeMark(json::object* block, Part* part) {
  json::value* mark = Find(*block, "cache_control");
  if (mark != nullptr) Adopt(std::move(*mark), &part->cache_control);
}

}  // namespace ccr::proxy::anthropic
