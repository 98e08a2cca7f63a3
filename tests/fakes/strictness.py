"""What real providers refuse, for keys that are told {"strict": [RULE...]}. A refusal is a text, answered with 400.

  system_first              a system message that is not the first one
  no_user_after_tool        a user's message directly after a tool's (Chat Completions)
  alternate                 user and assistant not in turns; calls and results aside
  unknown_fields            a member that the format's reference does not have
  no_forced_while_thinking  a forced tool choice while thinking is asked for
  signed_thinking           thinking whose signature this fake did not make (Anthropic)
  no_developer              role developer
  items_required            an array without items in a tool's schema, at any depth
  no_combinators            anyOf, oneOf or allOf at the top of a tool's schema
  ids                       a call's id over 40 characters or with others than [A-Za-z0-9_-]

With any rule, an empty list too, what no provider takes is refused: calls without results, results without calls, empty texts,
state that this fake did not make (Responses, Gemini).
"""
import re

import strict_fields
import talk_gemini
import talk_responses
from conversation import opaque


def refusal(kind, asked, rules):
    """The text of the refusal of a request of format `kind`, or None."""
    view = VIEWS[kind](asked)
    checks = [view.pairs, view.state] + [getattr(view, rule) for rule in rules]
    return next(filter(None, (check() for check in checks)), None)


def first(pairs):
    """The text of the first pair whose condition holds."""
    return next((text for wrong, text in pairs if wrong), None)


def arrays_without_items(schema):
    if isinstance(schema, list):
        return any(map(arrays_without_items, schema))
    if not isinstance(schema, dict):
        return False
    kinds = schema.get("type")
    array = str(kinds).lower() == "array" or isinstance(kinds, list) and "array" in kinds
    return array and "items" not in schema or any(map(arrays_without_items, schema.values()))


class View:
    """One format's request: `roles` of its messages in order, `call_ids`, `result_ids` and `schemas`. Rules it knows nothing of hold."""

    kind = ""
    forced = thinking = False
    result_ids = ()

    def __init__(self, asked):
        self.asked = asked

    def pairs(self):
        return None

    def state(self):
        return None

    signed_thinking = no_user_after_tool = state

    def system_first(self):
        late = [role for role in self.roles[1:] if role in ("system", "developer")]
        return "System message must be at the beginning." if late else None

    def alternate(self):
        turns = [role for role in self.roles if role in ("user", "assistant")]
        wrong = turns[:1] == ["assistant"] or any(a == b for a, b in zip(turns, turns[1:]))
        return "Conversation roles must alternate user/assistant/user/assistant/..." if wrong else None

    def unknown_fields(self):
        unknown = strict_fields.unknown(self.kind, self.asked)
        return f"{unknown}: Extra inputs are not permitted" if unknown else None

    def no_forced_while_thinking(self):
        return "Thinking mode does not support this tool_choice" if self.forced and self.thinking else None

    def no_developer(self):
        return "developer is not one of ['system', 'assistant', 'user', 'tool']" if "developer" in self.roles else None

    def items_required(self):
        return "Invalid schema for function: array schema missing items." if any(map(arrays_without_items, self.schemas)) else None

    def no_combinators(self):
        wrong = any(key in schema for schema in self.schemas for key in ("anyOf", "oneOf", "allOf"))
        return "schema must not have 'oneOf'/'anyOf'/'allOf' at the top level" if wrong else None

    def ids(self):
        bad = next((i for i in [*self.call_ids, *self.result_ids] if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", i)), None)
        return f"tool call id was {bad} but must be [A-Za-z0-9_-], at most 40 characters" if bad is not None else None


class Chat(View):
    kind = "chat"

    def __init__(self, asked):
        super().__init__(asked)
        self.messages = asked.get("messages") or []
        self.all_roles = [message["role"] for message in self.messages]
        self.roles = [message["role"] for message in self.messages if not message.get("tool_calls")]
        self.call_ids = [call["id"] for message in self.messages for call in message.get("tool_calls") or []]
        self.result_ids = [message["tool_call_id"] for message in self.messages if message["role"] == "tool"]
        self.schemas = [tool["function"].get("parameters") or {} for tool in asked.get("tools") or [] if "function" in tool]
        choice = asked.get("tool_choice")
        self.forced = choice == "required" or isinstance(choice, dict)
        self.thinking = (asked.get("reasoning_effort") not in (None, "none") or asked.get("enable_thinking") is True or
                         (asked.get("thinking") or {}).get("type") in ("enabled", "adaptive"))

    def pairs(self):
        open_calls = []
        for message in self.messages:
            if message["role"] == "tool":
                if message["tool_call_id"] not in open_calls:
                    return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                open_calls.remove(message["tool_call_id"])
            elif open_calls:
                return "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
            else:
                open_calls = [call["id"] for call in message.get("tool_calls") or []]
                if not message.get("content") and not open_calls:
                    return "content: a message must not be empty"
        return "messages: tool calls without results" if open_calls else None

    def no_user_after_tool(self):
        wrong = ("tool", "user") in zip(self.all_roles, self.all_roles[1:])
        return "Unexpected role 'user' after role 'tool'" if wrong else None

    def system_first(self):
        late = {"system", "developer"} & set(self.all_roles[1:])
        return "System message must be at the beginning." if late else None


class Anthropic(View):
    kind = "anthropic"

    def __init__(self, asked):
        super().__init__(asked)
        self.messages = [(message["role"], message["content"] if isinstance(message["content"], list) else
                          [{"type": "text", "text": message["content"]}]) for message in asked.get("messages") or []]
        self.roles = [role for role, _ in self.messages]
        self.blocks = [block for _, content in self.messages for block in content]
        self.call_ids = [block["id"] for block in self.blocks if block["type"] == "tool_use"]
        self.result_ids = [block["tool_use_id"] for block in self.blocks if block["type"] == "tool_result"]
        self.schemas = [tool["input_schema"] for tool in asked.get("tools") or [] if "input_schema" in tool]
        self.forced = (asked.get("tool_choice") or {}).get("type") in ("any", "tool")
        self.thinking = (asked.get("thinking") or {}).get("type") in ("enabled", "adaptive")

    def system_first(self):
        return "messages: Unexpected role \"system\"." if "system" in self.roles else None

    def pairs(self):
        calls = []
        for role, content in self.messages:
            results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
            leading = [block["type"] for block in content[:len(results)]]
            uses = [block["id"] for block in content if block["type"] == "tool_use"]
            wrong = first([
                (not content, "messages: all messages must have non-empty content"),
                (any(block["type"] == "text" and not block["text"].strip() for block in content),
                 "messages: text content blocks must contain non-whitespace text"),
                (sorted(results) != sorted(calls), "tool_use ids were found without tool_result blocks immediately after, or the reverse"),
                (set(leading) - {"tool_result"}, "tool_result blocks must come first in the content"),
                (uses and role != "assistant", "tool_use blocks can only be in assistant messages")])
            if wrong:
                return wrong
            calls = uses
        return "tool_use ids were found without tool_result blocks" if calls else None

    def state(self):
        thinking, most = self.asked.get("thinking") or {}, self.asked.get("max_tokens")
        return first([(not most, "max_tokens: Field required"),
                      (thinking.get("type") == "enabled" and not 1024 <= thinking["budget_tokens"] < (most or 0),
                       "`max_tokens` must be greater than `thinking.budget_tokens`, which is at least 1024"),
                      (self.thinking and self.asked.get("temperature", 1) != 1,
                       "`temperature` may only be set to 1 when thinking is enabled.")])

    def signed_thinking(self):
        for block in self.blocks:
            if block["type"] == "thinking" and block.get("signature") != opaque("signature", block["thinking"]):
                return "messages: Invalid `signature` in `thinking` block"
            if block["type"] == "redacted_thinking":
                return "messages: Invalid `data` in `redacted_thinking` block"
        return None


class Responses(View):
    kind = "responses"

    def __init__(self, asked):
        super().__init__(asked)
        self.items = talk_responses.items_of(asked)
        self.roles = [item["role"] for item in self.items if item["type"] == "message"]
        self.call_ids = [item["call_id"] for item in self.items if item["type"] in talk_responses.CALLS]
        self.result_ids = [item["call_id"] for item in self.items if item["type"] in talk_responses.RESULTS]
        self.schemas = [tool.get("parameters") or {} for tool in asked.get("tools") or [] if tool["type"] == "function"]
        choice = asked.get("tool_choice")
        self.forced = choice == "required" or isinstance(choice, dict)
        self.thinking = (asked.get("reasoning") or {}).get("effort") not in (None, "none")

    def alternate(self):
        return None

    def pairs(self):
        calls = set()
        for item in self.items:
            if item["type"] in talk_responses.CALLS:
                calls.add(item["call_id"])
            elif item["type"] in talk_responses.RESULTS:
                if item["call_id"] not in calls:
                    return f"No tool call found for function call output with call_id {item['call_id']}."
                calls.remove(item["call_id"])
        return f"No tool output found for function call {calls.pop()}." if calls else None

    def state(self):
        items = [item for item in self.items if item["type"] == "reasoning"]
        return next(filter(None, map(talk_responses.encrypted_refusal, items)), None)


class Gemini(View):
    kind = "gemini"

    def __init__(self, asked):
        super().__init__(asked)
        self.contents = talk_gemini.contents_of(asked)
        self.roles = [{"model": "assistant"}.get(content["role"], content["role"]) for content in self.contents]
        self.call_ids = [part["functionCall"]["id"] for part in talk_gemini.parts(asked, "functionCall") if "id" in part["functionCall"]]
        self.schemas = [function.get("parametersJsonSchema") or function.get("parameters") or {}
                        for tool in asked.get("tools") or [] for function in tool.get("functionDeclarations") or []]

    def pairs(self):
        calls = []
        for content in self.contents:
            parts = content["parts"]
            results = [part["functionResponse"] for part in parts if "functionResponse" in part]
            wrong = first([
                (not parts, "GenerateContentRequest.contents: contents.parts must not be empty."),
                (content["role"] not in ("user", "model", "function"), "Please use a valid role: user, model."),
                ([r["name"] for r in results] != [c["name"] for c in calls] or any(r.get("id") != c.get("id") for r, c in zip(results, calls)),
                 "the number of function response parts must equal the number of function call parts of the function call turn")])
            if wrong:
                return wrong
            calls = [part["functionCall"] for part in parts if "functionCall" in part]
        return "function calls without responses" if calls else None

    def state(self):
        return talk_gemini.signature_refusal(self.asked)

    def system_first(self):
        return "Please use a valid role: user, model." if set(self.roles) - {"user", "assistant", "function"} else None


VIEWS = {view.kind: view for view in (Chat, Anthropic, Responses, Gemini)}
