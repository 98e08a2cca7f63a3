#include "proxy/formats/anthropic/codec.h"
#include "proxy/formats/chat/codec.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/gemini/codec.h"
#include "proxy/formats/responses/codec.h"

namespace ccr::proxy {

const FormatCodec& CodecOf(Format format) {
  switch (format) {
    case Format::kAnthropic:
      return anthropic::Codec();
    case Format::kGemini:
      return gemini::Codec();
    case Format::kResponses:
      return responses::Codec();
    case Format::kChat:
      break;
  }
  return chat::Codec();
}

}  // namespace ccr::proxy
