"""What providers really answer, and what must become of the key that it was said to: a row for each, nothing else.

Row(what, status, body, key state afterwards, more...)
  body     what the provider sends: a text as it is, anything else as JSON
  state    of the key that got it, while another one serves the request: "active", "cooling", "disabled"
  wait     seconds until the key is back, within a few; None = whatever it is, AT_LEAST(n) = n or more
  headers  of the provider's answer
  form     the provider's format: "openai", "anthropic", "gemini"
  stream   the client asks for a stream
  everyone what the client gets when every key answers so: a status
  of_model the key rests for that model alone, and serves another one
"""
import datetime
import time

NOW = time.time()
HOUR, DAY = 3600, 86400


class AT_LEAST:
    def __init__(self, seconds):
        self.seconds = seconds


class Row:
    def __init__(self, what, status, body, state, wait=None, *, headers=None, form="openai", stream=False, everyone=None,
                 of_model=False):
        self.what, self.status, self.body, self.state, self.wait = what, status, body, state, wait
        self.headers, self.form, self.stream, self.everyone, self.of_model = headers or {}, form, stream, everyone, of_model


def later(seconds, form="%Y-%m-%d %H:%M:%S"):
    return datetime.datetime.fromtimestamp(NOW + seconds, datetime.timezone.utc).strftime(form)


def rfc3339(seconds):
    return later(seconds, "%Y-%m-%dT%H:%M:%SZ")


def http_date(seconds):
    return later(seconds, "%a, %d %b %Y %H:%M:%S GMT")


def epoch(seconds, unit=1):
    return str(int((NOW + seconds) * unit))


def error(message="their words", **more):
    return {"error": {"message": message, **more}}


def anthropic(type, message="their words"):
    return {"type": "error", "error": {"type": type, "message": message}}


# 1. An account's or a key's own fault, under any status.
FAULTS_OF_THE_KEY = [
    Row("Groq: restricted", 400, error("Organization has been restricted. Please reach out to support", type="invalid_request_error",
                                       code="organization_restricted"), "disabled"),
    Row("Anthropic: usage limits", 400,
        anthropic("invalid_request_error", "You have reached your specified API usage limits. You will regain access on "
                  f"{later(40 * HOUR, '%Y-%m-%d at %H:%M')} UTC."), "cooling", 40 * HOUR - 30, form="anthropic"),
    Row("Anthropic: no credit", 400, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API. "
                                               "Please go to Plans & Billing"), "cooling", HOUR, form="anthropic"),
    Row("DashScope: Arrearage", 400, error("Access denied, please make sure your account is in good standing.", code="Arrearage",
                                           type="Arrearage"), "cooling", HOUR),
    Row("OpenRouter: key limit", 403, error("Key limit exceeded (monthly limit). Manage it using openrouter.ai", code=403), "cooling", AT_LEAST(HOUR)),
    Row("OpenRouter: credits", 402, error("Insufficient credits", code=402), "cooling", HOUR),
    Row("xAI: spending limit", 403, {"code": "personal-team-blocked:spending-limit", "error": "You have run out of credits."}, "cooling", HOUR),
    Row("xAI: exhausted", 429, {"code": "Some resource has been exhausted",
                                "error": "Your team has either used all available credits or reached its monthly spending limit."}, "cooling", HOUR),
    Row("Volcengine: overdue", 403, error("The account has an overdue balance", code="AccountOverdueError", type="Forbidden"), "cooling", HOUR),
    Row("SiliconFlow: balance", 403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}, "cooling", HOUR),
    Row("Gemini: leaked", 403, error("Your API key was reported as leaked. Please use another API key.", code=403,
                                     status="PERMISSION_DENIED"), "disabled", form="gemini"),
    Row("Gemini: invalid", 400, error("API key not valid. Please pass a valid API key.", code=400, status="INVALID_ARGUMENT", details=[
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]), "disabled", form="gemini"),
    Row("Zhipu: balance", 429, error("Insufficient balance or no resource package. Please recharge.", code="1113"), "cooling", HOUR),
    Row("Zhipu: rate", 429, error("Rate limit reached for requests", code="1302"), None),
    Row("Zhipu: window", 429, error(f"Usage limit reached for 5 hour. Your limit will reset at {later(3 * HOUR)}", code="1308"),
        "cooling", 3 * HOUR),
    Row("MiniMax: balance", 429, {"type": "error", "error": {"type": "insufficient_balance_error", "message": "insufficient balance (1008)"}},
        "cooling", HOUR),
    Row("Moonshot: quota", 429, error("Your account is suspended, please check your plan", type="exceeded_current_quota_error"), "cooling", HOUR),
    Row("Moonshot: quota", 403, error("Your account is suspended, please check your plan", type="exceeded_current_quota_error"), "cooling", HOUR),
    Row("OpenAI: quota", 429, error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"), "cooling", HOUR),
    Row("OpenAI: billing", 429, error("Your account is not active", type="billing_not_active", code="billing_not_active"), "cooling", HOUR),
    Row("OpenAI: hard limit", 429, error("Billing hard limit has been reached", code="billing_hard_limit_reached"), "cooling", HOUR),
    Row("DeepSeek: balance", 402, error("Insufficient Balance", type="unknown_error", code="invalid_request_error"), "cooling", HOUR),
    Row("Zen: credits", 401, {"type": "error", "error": {"type": "CreditsError", "message": "Insufficient balance. Manage your billing"}},
        "cooling", HOUR),
]
OF_ONE_MODEL = [
    Row("a model that the key may not use", 404, error("The model `fake-model` does not exist or you do not have access to it.",
                                                       type="invalid_request_error", code="model_not_found"), "active", of_model=True),
    Row("the same as a 403", 403, error("Project `p` does not have access to model `fake-model`", type="invalid_request_error",
                                        code="model_not_found"), "active", of_model=True),
    Row("OpenAI: a limit of the model", 429, error("Rate limit reached for fake-model in organization org-1 on tokens per min (TPM): Limit "
                                                   "30000, Used 30000, Requested 10. Please try again in 90s.", type="tokens",
                                                   code="rate_limit_exceeded"), "active", of_model=True),
    Row("Gemini: a limit of the model", 429, error(code=429, status="RESOURCE_EXHAUSTED", details=[
        {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]}, {"retryDelay": "94s"}]), "active",
        form="gemini", of_model=True),
    Row("Anthropic: the week of the model", 429, anthropic("rate_limit_error"), "active", form="anthropic", of_model=True, headers={
        "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-7d_opus-status": "rejected",
        "anthropic-ratelimit-unified-7d_opus-reset": epoch(5 * DAY), "anthropic-ratelimit-unified-5h-status": "allowed"}),
]

# 2. The request's fault, the provider's state.
NO_FAULT_OF_THE_KEY = [
    Row("OpenRouter: moderation", 403, error("Your chosen model requires moderation and your input was flagged", code=403,
                                             metadata={"reasons": ["violence"]}), "active", everyone=403),
    Row("Anthropic: long context", 429, anthropic("rate_limit_error", "Extra usage is required for long context requests."), None,
        form="anthropic", everyone=429),
    Row("Anthropic: overloaded", 529, anthropic("overloaded_error", "Overloaded"), "active", form="anthropic"),
    Row("Anthropic: overloaded in a 429", 429, anthropic("overloaded_error", "Overloaded"), "active", form="anthropic"),
    Row("Moonshot: overloaded", 429, error("The engine is currently overloaded, please try again later", type="engine_overloaded_error"), "active"),
    Row("Zhipu: overloaded", 429, error("The model is busy, please try later", code="1305"), "active"),
    Row("Gemini: overloaded", 503, error("The model is overloaded. Please try again later.", code=503, status="UNAVAILABLE"), "active", form="gemini"),
    Row("OpenAI: context", 400, error("This model's maximum context length is 8192 tokens", type="invalid_request_error",
                                      code="context_length_exceeded"), "active", everyone=400),
]

# 3. When a key is back.
RESETS = [
    Row("retry-after-ms", 429, error(), "cooling", 90, headers={"retry-after-ms": "90000", "retry-after": "1"}),
    Row("Retry-After", 429, error(), "cooling", 90, headers={"retry-after": "90.5"}),
    Row("Retry-After as a date", 429, error(), "cooling", 300, headers={"retry-after": http_date(300)}),
    Row("OpenAI: tokens used up", 429, error(type="tokens", code="rate_limit_exceeded"), "cooling", 432, headers={
        "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7m12s",
        "x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "2h"}),
    Row("Anthropic: input tokens used up", 429, anthropic("rate_limit_error"), "cooling", 120, form="anthropic", headers={
        "anthropic-ratelimit-input-tokens-remaining": "0", "anthropic-ratelimit-input-tokens-reset": rfc3339(120),
        "anthropic-ratelimit-requests-remaining": "3", "anthropic-ratelimit-requests-reset": rfc3339(900)}),
    Row("Anthropic: unified", 429, anthropic("rate_limit_error"), "cooling", 5 * DAY, form="anthropic", headers={
        "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": epoch(5 * DAY)}),
    Row("Anthropic: the window that is used up", 429, anthropic("rate_limit_error"), "cooling", 2 * HOUR, form="anthropic", headers={
        "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-5h-status": "rejected",
        "anthropic-ratelimit-unified-5h-reset": epoch(2 * HOUR), "anthropic-ratelimit-unified-7d-status": "allowed",
        "anthropic-ratelimit-unified-7d-reset": epoch(5 * DAY)}),
    Row("epoch in ms", 429, error(), "cooling", 600, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(600, 1000)}),
    Row("epoch in s", 429, error(), "cooling", 600, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(600)}),
    Row("seconds from now", 429, error(), "cooling", 600, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "600"}),
    Row("OpenRouter: in the body", 429, error("Rate limit exceeded: free-models-per-min.", code=429, metadata={"headers": {
        "X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(600, 1000)}}), "cooling", 600),
    Row("Gemini: RetryInfo", 429, error(code=429, status="RESOURCE_EXHAUSTED", details=[{"retryDelay": "94.07s"}]), "cooling", 94, form="gemini"),
    Row("Gemini: the day", 429, error(code=429, status="RESOURCE_EXHAUSTED", details=[
        {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject-FreeTier"}]}, {"retryDelay": "34.07s"}]), "cooling",
        lambda: pacific_midnight() - NOW, form="gemini"),
    Row("resets_in_seconds", 429, error(type="usage_limit_reached", resets_in_seconds=7200), "cooling", 7200),
    Row("resets_at", 429, error(type="usage_limit_reached", resets_at=int(NOW + 40 * HOUR)), "cooling", 40 * HOUR),
    Row("a window that ends soon", 429, error(type="usage_limit_reached", resets_in_seconds=600), "cooling", 600),
    Row("words: 7m12s", 429, error("Rate limit reached. Please try again in 7m12s. Visit us."), "cooling", 432),
    Row("words: 90s", 429, error("Rate limit reached. Please try again in 90s."), "cooling", 90),
    Row("words: a date", 429, error(f"Limit resets at {later(1000)}"), "cooling", 1000),
    Row("a rate of a week", 429, error(), "cooling", DAY, headers={"retry-after": str(7 * DAY)}),
]

# 4. A 200 that is no answer.
NO_ANSWERS = [
    Row("MiniMax: balance", 200, {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "cooling", HOUR),
    Row("Zhipu: authentication", 200, {"code": 1000, "msg": "Authentication Failed", "success": False}, "disabled"),
    Row("OpenRouter: 429", 200, {"id": "gen-1", "error": {"code": 429, "message": "slow down"}, "choices": []}, None),
    Row("OpenRouter: 429 in a stream", 200, 'data: {"id":"gen-1","error":{"code":429,"message":"Please try again in 90s"},"choices":[]}\n\n',
        "cooling", 90, headers={"content-type": "text/event-stream"}, stream=True, everyone=429),
    Row("no choices", 200, {"choices": []}, None, everyone=502),
    Row("no choices at all", 200, {}, None, everyone=502),
    Row("a reason and nothing else", 200, {"detail": "their words"}, None),
    Row("half an answer", 200, '{"id":"1","choices":[{"index":0,"mess', None, everyone=502),
    Row("Anthropic: no content", 200, {"type": "message", "content": None}, None, form="anthropic", everyone=502),
    Row("Gemini: no candidates", 200, {"usageMetadata": {"promptTokenCount": 3}}, None, form="gemini", everyone=502),
    Row("OpenRouter: an error in a choice", 200, {"choices": [{"finish_reason": "error", "message": {"content": ""}, "error": {
        "code": 502, "message": "their words"}}]}, None, everyone=502),
    Row("an empty body", 200, "", None, everyone=502),
    Row("a page", 200, "<html><body>Sign in</body></html>", None, headers={"content-type": "text/html"}, everyone=502),
    Row("a stream of nothing", 200, "data: [DONE]\n\n", None, headers={"content-type": "text/event-stream"}, stream=True, everyone=502),
]

ROWS = FAULTS_OF_THE_KEY + OF_ONE_MODEL + NO_FAULT_OF_THE_KEY + RESETS + NO_ANSWERS


def pacific_midnight():
    import zoneinfo
    day = datetime.datetime.fromtimestamp(NOW, zoneinfo.ZoneInfo("America/Los_Angeles")).date() + datetime.timedelta(days=1)
    return datetime.datetime(day.year, day.month, day.day, tzinfo=zoneinfo.ZoneInfo("America/Los_Angeles")).timestamp()
