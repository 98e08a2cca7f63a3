// What media are, for those who write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/formats/conversation/request.h"

namespace ccr::proxy {

// "image", "audio", "video", for all else "file".
std::string_view MediaName(const Media& media);

// What stands in the place of media that were left out: "[image omitted]".
std::string OmittedMark(const Media& media);

// JPEG, PNG, GIF and WebP: the images that Anthropic and OpenAI read.
bool IsUsualImage(std::string_view type);

// Whether OpenAI reads the image: by an address of the web, or one of the usual ones. An image kept by a provider is
// known to that provider only.
bool IsImageForOpenAi(const Media& media);

// The audio that OpenAI reads, "mp3" or "wav"; empty for all else.
std::string_view AudioFormat(std::string_view type);

// Whether the document is a text, in base64 too.
bool IsTextDocument(const Media& media);

// The text of such a document; nothing where it cannot be read.
std::optional<std::string> DocumentText(const Media& media);

}  // namespace ccr::proxy
