#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {

const Transformer kCleanCache = {.name = "cleancache", .edits_anthropic = true, .edit_request = EraseCacheControl};

}  // namespace ccr::proxy
