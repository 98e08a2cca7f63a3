"""The members that requests of each format have by the providers' references; what else there is, strict servers refuse."""


def words(text):
    return set(text.split())


CHAT_TEXT = words("type text")
CHAT = {
    "": words("model messages stream stream_options max_tokens max_completion_tokens temperature top_p n stop presence_penalty "
              "frequency_penalty logit_bias logprobs top_logprobs seed tools tool_choice parallel_tool_calls response_format user "
              "reasoning_effort metadata store service_tier prompt_cache_key safety_identifier verbosity modalities audio prediction "
              "web_search_options"),
    "message": words("role content name tool_calls tool_call_id refusal"),
    "part": {"text": CHAT_TEXT, "image_url": words("type image_url"), "input_audio": words("type input_audio"),
             "file": words("type file"), "refusal": words("type refusal")},
    "call": words("id type function custom"), "function": words("name arguments"),
    "tool": words("type function custom"), "declaration": words("name description parameters strict"),
}
ANTHROPIC = {
    "": words("model messages max_tokens system metadata stop_sequences stream temperature top_p top_k tools tool_choice thinking "
              "service_tier container context_management mcp_servers output_config output_format cache_control inference_geo speed "
              "diagnostics fallbacks"),
    "message": words("role content output_config"),
    "block": {"text": words("type text cache_control citations"), "thinking": words("type thinking signature"),
              "redacted_thinking": words("type data"), "tool_use": words("type id name input cache_control caller"),
              "tool_result": words("type tool_use_id content is_error cache_control"), "image": words("type source cache_control"),
              "document": words("type source title context citations cache_control"), "tool_reference": words("type tool_name cache_control"),
              "search_result": words("type source title content citations cache_control")},
    "tool": words("type name description input_schema cache_control strict defer_loading eager_input_streaming allowed_callers "
                  "input_examples"),
}
MESSAGE_ITEM = words("type role content status id phase")
RESPONSES = {
    "": words("background context_management conversation include input instructions max_output_tokens max_tool_calls metadata model "
              "parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_retention prompt_cache_options reasoning "
              "safety_identifier service_tier store stream stream_options temperature text tool_choice tools top_logprobs top_p client_metadata "
              "truncation user"),
    "item": {"message": MESSAGE_ITEM, "reasoning": words("type id summary content encrypted_content status"),
             "function_call": words("type id call_id name arguments status namespace"),
             "function_call_output": words("type id call_id output status"),
             "custom_tool_call": words("type id call_id name input namespace status"),
             "custom_tool_call_output": words("type id call_id output name status")},
    "part": {"input_text": words("type text"), "output_text": words("type text annotations logprobs"), "refusal": words("type refusal"),
             "input_image": words("type image_url file_id detail"), "input_file": words("type file_data file_id file_url filename detail")},
    "tool": words("type name description parameters strict defer_loading"),
}
GEMINI = {
    "": words("contents systemInstruction tools toolConfig safetySettings generationConfig cachedContent labels serviceTier store"),
    "content": words("role parts"),
    "part": words("text thought thoughtSignature inlineData fileData functionCall functionResponse executableCode codeExecutionResult "
                  "videoMetadata mediaResolution partMetadata toolCall toolResponse"),
    "functionCall": words("id name args"), "functionResponse": words("id name response parts willContinue scheduling"),
    "generationConfig": words("temperature topP topK candidateCount maxOutputTokens stopSequences responseMimeType responseSchema "
                              "responseJsonSchema presencePenalty frequencyPenalty seed responseLogprobs logprobs thinkingConfig "
                              "responseModalities mediaResolution speechConfig imageConfig enableEnhancedCivicAnswers"),
    "tool": words("functionDeclarations googleSearch codeExecution urlContext computerUse googleSearchRetrieval fileSearch googleMaps"),
    "declaration": words("name description parameters parametersJsonSchema response responseJsonSchema behavior"),
    "schema": words("type format title description nullable enum maxItems minItems properties required minProperties maxProperties "
                    "propertyOrdering anyOf items default example minimum maximum minLength maxLength pattern"),
}


def extra(given, known, where):
    """Where an unknown member stands, one a time."""
    if known is None:
        yield f"{where}.type"
    elif isinstance(given, dict):
        yield from (f"{where}.{name}".lstrip(".") for name in given if name not in known)


def chat(asked):
    yield from extra(asked, CHAT[""], "")
    for place, message in enumerate(asked.get("messages") or []):
        yield from extra(message, CHAT["message"], f"messages.{place}")
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            yield from extra(part, CHAT["part"].get(part["type"]), f"messages.{place}.content")
        for call in message.get("tool_calls") or []:
            yield from extra(call, CHAT["call"], f"messages.{place}.tool_calls")
            yield from extra(call.get("function"), CHAT["function"], f"messages.{place}.tool_calls.function")
    for tool in asked.get("tools") or []:
        yield from extra(tool, CHAT["tool"], "tools")
        yield from extra(tool.get("function"), CHAT["declaration"], "tools.function")


def anthropic(asked):
    yield from extra(asked, ANTHROPIC[""], "")
    for place, message in enumerate(asked.get("messages") or []):
        yield from extra(message, ANTHROPIC["message"], f"messages.{place}")
        for block in message["content"] if isinstance(message["content"], list) else []:
            known = ANTHROPIC["block"].get(block["type"])
            yield from extra(block, known, f"messages.{place}.content.{block['type']}")
    for tool in asked.get("tools") or []:
        if "input_schema" in tool:
            yield from extra(tool, ANTHROPIC["tool"], "tools")


def responses(asked):
    yield from extra(asked, RESPONSES[""], "")
    for place, item in enumerate(asked["input"] if isinstance(asked.get("input"), list) else []):
        yield from extra(item, RESPONSES["item"].get(item.get("type", "message")), f"input.{place}")
        for part in item["content"] if isinstance(item.get("content"), list) else []:
            yield from extra(part, RESPONSES["part"].get(part["type"]), f"input.{place}.content")
    for tool in asked.get("tools") or []:
        if tool["type"] == "function":
            yield from extra(tool, RESPONSES["tool"], "tools")


def gemini_schema(schema, where):
    yield from extra(schema, GEMINI["schema"], where)
    for name, inner in (schema.get("properties") or {}).items():
        yield from gemini_schema(inner, f"{where}.properties.{name}")
    for inner in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        yield from gemini_schema(inner, f"{where}.items")


def gemini(asked):
    yield from extra(asked, GEMINI[""], "")
    yield from extra(asked.get("generationConfig"), GEMINI["generationConfig"], "generationConfig")
    for place, content in enumerate(asked.get("contents") or []):
        yield from extra(content, GEMINI["content"], f"contents.{place}")
        for part in content["parts"]:
            yield from extra(part, GEMINI["part"], f"contents.{place}.parts")
            for member in ("functionCall", "functionResponse"):
                yield from extra(part.get(member), GEMINI[member], f"contents.{place}.parts.{member}")
    for tool in asked.get("tools") or []:
        yield from extra(tool, GEMINI["tool"], "tools")
        for function in tool.get("functionDeclarations") or []:
            yield from extra(function, GEMINI["declaration"], "tools.functionDeclarations")
            yield from gemini_schema(function.get("parameters") or {}, "tools.functionDeclarations.parameters")


FORMATS = {"chat": chat, "anthropic": anthropic, "responses": responses, "gemini": gemini}


def unknown(kind, asked):
    """Where the first unknown member is, or None."""
    return next(FORMATS[kind](asked), None)
