#include "proxy/formats/anthropic/content_writer.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/anthropic/content_reader.h"
#include "proxy/formats/data_url.h"
#include "proxy/formats/media.h"

namespace ccr::proxy::anthropic {
namespace {

constexpr std::string_view kPdf = "application/pdf";

// What a mark names where no media may stand.
std::string_view PlacelessName(const Media& media) {
  const bool document = media.source == Media::Source::kText || media.type == kPdf || media.type.starts_with("text/");
  return document ? "document" : MediaName(media);
}

enum class BlockKind { kNone, kImage, kDocument };

// What a block Anthropic takes `media` as; kNone for none.
BlockKind BlockOf(const Media& media, bool own) {
  const bool image = media.type.starts_with("image/");
  const bool other = media.type.starts_with("audio/") || media.type.starts_with("video/");
  const BlockKind kind = image ? BlockKind::kImage : BlockKind::kDocument;
  switch (media.source) {
    case Media::Source::kUrl:
      return other || !(own || IsWebUrl(media.data)) ? BlockKind::kNone : kind;
    case Media::Source::kFileId:
      return own ? kind : BlockKind::kNone;
    case Media::Source::kText:
      return BlockKind::kDocument;
    case Media::Source::kBase64:
      break;
  }
  if (own || IsUsualImage(media.type) || media.type == kPdf) return kind;
  return media.type.starts_with("text/") ? BlockKind::kDocument : BlockKind::kNone;
}

void WriteSource(const Media& media, std::string_view text, std::string* out) {
  ObjectWriter source(out);
  switch (media.source) {
    case Media::Source::kUrl:
      source.Text("type", "url");
      source.Text("url", media.data);
      break;
    case Media::Source::kFileId:
      source.Text("type", "file");
      source.Text("file_id", media.data);
      break;
    case Media::Source::kBase64:
    case Media::Source::kText:
      if (!text.empty()) {
        source.Text("type", "text");
        source.Text("media_type", "text/plain");
        source.Text("data", text);
        break;
      }
      source.Text("type", "base64");
      source.Text("media_type", media.type == "image/jpg" ? std::string_view("image/jpeg") : media.type);
      source.Text("data", media.data);
  }
  source.End();
}

}  // namespace

bool IsBlank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), absl::ascii_isspace);
}

void ContentWriter::Write(const Part& part, Place place, ListWriter* blocks) {
  switch (part.kind) {
    case PartKind::kText:
    case PartKind::kRefusal:
      return WriteText(part.text, &part, blocks);
    case PartKind::kMedia:
      return WriteMedia(part, place, blocks);
    case PartKind::kOther:
      return WriteOther(part, place, blocks);
    case PartKind::kThinking:
    case PartKind::kToolCall:
    case PartKind::kToolResult:
      return;
  }
}

void ContentWriter::WriteText(std::string_view text, const Part* origin, ListWriter* blocks) {
  if (IsBlank(text)) return;
  ObjectWriter block(blocks->Next());
  block.Text("type", "text");
  block.Text("text", text);
  if (origin != nullptr) WriteRest(*origin, &block);
  block.End();
}

void ContentWriter::WriteMedia(const Part& part, Place place, ListWriter* blocks) {
  if (own_ && Find(part.own, kPartOfWhole) != nullptr) return;
  const Media& media = part.media;
  if (place != Place::kUser) return WriteOmitted(PlacelessName(media), blocks);
  if (!media.detail.empty()) AddNote(notes_, "image_url.detail: dropped");
  const BlockKind kind = BlockOf(media, own_);
  const bool in_text = IsTextDocument(media);
  std::optional<std::string> text;
  if (kind == BlockKind::kDocument && in_text) text = DocumentText(media);
  if (kind == BlockKind::kNone || (in_text && (!text || IsBlank(*text)))) {
    return WriteOmitted(MediaName(media), blocks);
  }
  ObjectWriter block(blocks->Next());
  block.Text("type", kind == BlockKind::kImage ? "image" : "document");
  WriteSource(media, text ? std::string_view(*text) : std::string_view(), block.Key("source"));
  if (kind == BlockKind::kDocument && !IsBlank(media.name)) block.Text("title", media.name);
  WriteRest(part, &block);
  block.End();
}

void ContentWriter::WriteOther(const Part& part, Place place, ListWriter* blocks) {
  if (own_ && !part.own.empty()) {
    ObjectWriter block(blocks->Next());
    block.Members(part.own);
    if (part.cache_control.is_object()) block.Value("cache_control", part.cache_control);
    return block.End();
  }
  if (!part.text.empty()) return WriteText(part.text, &part, blocks);
  if (place == Place::kUser) return WriteOmitted("content part", blocks);
  AddNote(notes_, "content part: dropped");
}

void ContentWriter::WriteOmitted(std::string_view what, ListWriter* blocks) {
  AddNote(notes_, absl::StrCat(ToAbsl(what), ": dropped, a mark stands in its place"));
  WriteText(absl::StrCat("[", ToAbsl(what), " omitted]"), nullptr, blocks);
}

void ContentWriter::WriteRest(const Part& part, ObjectWriter* block) const {
  if (part.cache_control.is_object()) block->Value("cache_control", part.cache_control);
  if (own_) block->Members(part.own);
}

}  // namespace ccr::proxy::anthropic
