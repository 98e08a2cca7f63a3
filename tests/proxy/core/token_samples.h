// Texts with the count of their cl100k_base tokens, by js-tiktoken 1.0.21 from npm.
#pragma once

#include <cstdint>
#include <string_view>

namespace ccr::proxy {

struct TokenSample {
  std::string_view name;
  double tolerance;  // of the estimate, as a part of the count
  uint64_t tokens;
  std::string_view text;
};

inline constexpr TokenSample
    kTokenSamples[] =
        {
            {"english prose", 0.15, 126,
             R"~(The lighthouse keeper had not spoken to anyone for eleven days when the supply boat finally came around the point. He watched it through the window of the lamp room, counting the crates on its deck, and decided that the new captain must be a careful man: everything was tied down twice. By the time the boat reached the jetty he had washed his face, found a clean shirt, and forgotten most of the things he meant to complain about. "You look well," the captain shouted over the engine. "I look old," said the keeper, "but the light works, and that is what they pay me for.")~"},
            {"english technical", 0.15, 112,
             R"~(When a request fails because its key was rate limited, the proxy reports the evidence to the broker and asks for another key in the same message. The broker marks the first key as cooling until the moment the provider named in its Retry-After header, picks the next one by the configured strategy, and answers with a fresh lease. Nothing was sent to the client yet, so the client never learns that the first attempt existed. Once a single byte of the response has been relayed, switching is no longer possible, and an error event ends the stream instead.)~"},
            {"english instructions", 0.15, 101,
             R"~(You are a careful assistant that helps with software engineering tasks. Before you change a file, read it. Prefer small edits over rewriting whole modules, keep the style of the surrounding code, and do not add dependencies unless the user asked for them. If a command could destroy data, explain what it would do and wait for confirmation. When you finish, summarise what changed in two or three sentences and mention anything you could not verify. Never guess at the contents of a file that you have not opened.)~"},
            {"chinese prose", 0.15, 214, R"~(那天早上下着小雨，街上的人不多。老张把自行车停在门口，抖了抖身上的水，走进了那家开了三十年的茶馆。老板看见他，笑着说：“今天怎么这么早？”老张摆摆手，在靠窗的位置坐下来，说昨天晚上没睡好，一直在想儿子的事情。儿子在外地工作已经五年了，过年的时候才回来一次，电话里总是说忙。老板给他倒了一杯热茶，说年轻人都是这样的，等他自己有了孩子，就会明白父母的心情了。)~"},
            {"chinese technical", 0.15, 173,
             R"~(请帮我检查一下这个项目的数据库连接代码。现在的问题是，当并发请求数量超过一百的时候，系统会出现超时错误，日志里显示无法获取新的连接。我怀疑是连接池的大小设置得太小，或者有些地方使用完连接之后没有正确释放。请先阅读配置文件和相关的源代码，找出可能的原因，然后给出修改方案。修改之前请先告诉我你打算怎么做，不要直接删除任何文件。另外，请为新的逻辑补充单元测试，并确保所有测试都能通过。)~"},
            {"chinese markdown", 0.15, 174,
             R"~(## 快速开始

1. 安装依赖：运行 `npm install`，需要 Node.js 18 以上的版本。
2. 复制配置文件，并填写你的密钥；密钥不会上传到服务器。
3. 启动服务：`npm run start`，默认监听 3456 端口。

> 注意：如果启动失败，请先查看日志文件，确认端口没有被其他程序占用。

| 参数 | 说明 | 默认值 |
| --- | --- | --- |
| 超时时间 | 等待上游返回结果的最长时间 | 600000 毫秒 |
| 重试次数 | 请求失败之后最多重试几次 | 3 |)~"},
            {"python", 0.15, 240,
             R"~(class TokenBucket:
    """Allows `rate` operations per second, with bursts of up to `capacity`."""

    def __init__(self, rate: float, capacity: float, now: float = 0.0) -> None:
        if rate <= 0 or capacity <= 0:
            raise ValueError("rate and capacity must be positive")
        self.rate = rate
        self.capacity = capacity
        self._tokens = capacity
        self._updated = now

    def try_take(self, now: float, amount: float = 1.0) -> bool:
        elapsed = max(0.0, now - self._updated)
        self._tokens = min(self.capacity, self._tokens + elapsed * self.rate)
        self._updated = now
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True


def summarize(values):
    totals = {key: sum(v for k, v in values if k == key) for key in {k for k, _ in values}}
    return sorted(totals.items(), key=lambda item: (-item[1], item[0])))~"},
            {"cpp", 0.15, 230,
             R"~(absl::StatusOr<std::vector<Endpoint>> ParseEndpoints(std::string_view text) {
  std::vector<Endpoint> endpoints;
  for (std::string_view line : SplitLines(text)) {
    line = StripComment(line);
    if (line.empty()) continue;
    const size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) {
      return absl::InvalidArgumentError("expected host:port");
    }
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(line.data() + colon + 1, line.data() + line.size(), port);
    if (error != std::errc() || end != line.data() + line.size()) {
      return absl::InvalidArgumentError("the port is not a number");
    }
    endpoints.push_back({std::string(line.substr(0, colon)), port});
  }
  std::sort(endpoints.begin(), endpoints.end(), [](const auto& a, const auto& b) { return a.host < b.host; });
  return endpoints;
})~"},
            {"typescript", 0.15, 168,
             R"~(export async function fetchAll<T>(urls: string[], limit = 4): Promise<Map<string, T | Error>> {
  const results = new Map<string, T | Error>();
  const queue = [...urls];
  const worker = async () => {
    while (queue.length > 0) {
      const url = queue.shift()!;
      try {
        const response = await fetch(url, { headers: { accept: "application/json" } });
        if (!response.ok) throw new Error(`status ${response.status}`);
        results.set(url, (await response.json()) as T);
      } catch (error) {
        results.set(url, error instanceof Error ? error : new Error(String(error)));
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
})~"},
            {"json schema", 0.15, 125,
             R"~({"name":"edit_file","description":"Replaces one passage of a file by another. The old passage must occur exactly once.","input_schema":{"type":"object","properties":{"file_path":{"type":"string","description":"Absolute path of the file to change"},"old_string":{"type":"string","description":"The passage to replace"},"new_string":{"type":"string","description":"What to put in its place"},"replace_all":{"type":"boolean","default":false}},"required":["file_path","old_string","new_string"],"additionalProperties":false,"$schema":"http://json-schema.org/draft-07/schema#"}})~"},
            {"mixed chinese code", 0.15, 140,
             R"~(这个函数有一个问题：当 `items` 为空的时候，`total / items.length` 会得到 NaN。你可以这样修改：

```js
function average(items) {
  if (items.length === 0) return 0; // 没有数据时返回零
  const total = items.reduce((sum, item) => sum + item.price, 0);
  return total / items.length;
}
```

另外，建议在调用之前先检查 `response.status`，如果不是 200 就抛出错误，这样前端可以显示正确的提示信息。)~"},
            {"numbers", 0.15, 153,
             R"~(id,year,price,stock,ratio
1042,2019,1299.50,37,0.4821
1043,2020,89.99,1204,0.0317
1044,2020,15000.00,2,0.9950
1045,2021,7.25,98310,0.1234
1046,2021,430.10,5521,0.7777
1047,2022,64.00,18,0.5000
1048,2023,1000000.00,1,0.0001
1049,2023,3.14,271828,0.3333)~"},
            {"whitespace heavy code", 0.15, 89,
             R"~(struct Node {
	struct Node	*next;
	int				value;
};



static int
count(const struct Node *node)
{
				int n = 0;

				while (node != NULL) {
								n++;
								node = node->next;
				}

				return n;
}

                        /* a comment far to the right */
                        if (ready)
                                start();
                        else
                                wait_for(       timeout,
                                                deadline        );)~"},
            {"emoji", 0.20, 98,
             R"~(🚀 Release 2.4 is out! ✨ New themes 🎨, faster search 🔍 and far fewer bugs 🐛🔨. Thanks to everyone who helped 🙏❤️. Known issue: the export button ⚠️ may need two clicks 😅. Please report what you find 📝 and we will fix it soon 👍👍. See you at the party 🎉🥳🎂!)~"},
            {"base64", 0.15, 412,
             R"~(3JXAeKJAiYmtSKIUkoQgh1MPivvHRTa5qWO08cTLc4vOp0A9TWBrbgdOxdO6850YcmADyjemKnTRovWOdQY1jt1KsShNSuF7QehZJEcMNvdHQcvhgbt/MGF8HeOrDDof0MSPcyGoLTdglazgQZFnoLyvSbDAzqYt5rwcZlReHa2r+nfNboXaJF+wvcXlLPwpugrhqyg34PNjh7cOkxdgEkNiwrtm2PSxN/zoNCyc04ahFEKW4nJoqOUN9TeoBdV5uyHrvfNX7TS/WLWDcVDdyvNiIl5iCmBwrF71KftSJGZ2i3jAS1TlHvX6B+UGo1/GsLcQJJyGJuGpatV4KNe+LhSQoFp87kO96YtW4wncASZO1t9ugsG/xypZrVOpwOQ0fWxSeFB5QKfe9rqT6LavHkZTcnZhG8dmlVxYfTAbqEesyd2nikOOLApp1RR0THLTTzJrm37zQobKDvin6uBuvmacU3ISQC3LX+rpnXbH9KdqvbecDfqgOKDiKCxzDtSLhp2sLxaOzz6mEOYfrFEsjpX7jAbeYrx2aVVRNYrbhkzCaPkUtJqzqiDt/bLRcnmBN7Sz2N3RdSLrLL/k3EfPn7D6)~"},
            {"shell session", 0.15, 170,
             R"~($ git status --short
 M src/server/router.ts
?? tests/router.test.ts
$ npm test -- --filter router
> gateway@1.3.0 test
> vitest run --filter router

 ✓ tests/router.test.ts (14 tests) 212ms
 ✗ tests/fallback.test.ts > picks the second provider
   AssertionError: expected 'alpha' to be 'beta'
     at tests/fallback.test.ts:41:27

Test Files  1 failed | 1 passed (2)
     Tests  1 failed | 20 passed (21)
$ grep -rn "fallback" src | head -3
src/server/router.ts:88:  const fallback = table.fallback[name] ?? [];
src/config/schema.ts:112:  fallback: z.record(z.array(z.string())).optional(),)~"},
            {"russian", 0.20, 118,
             R"~(Вчера вечером мы долго сидели на кухне и говорили о том, как быстро проходит время. За окном шёл снег, чайник тихо шумел на плите, и никто не хотел вставать первым. Потом позвонил брат и сказал, что приедет только в субботу, потому что поезд опять опаздывает.)~"},
};

}  // namespace ccr::proxy
