// The real openai package as a client of the proxy at CCR_URL. sdk_test.py sets the providers up, and looks at what
// their upstream saw; what the SDK makes of the answers is looked at here.
const assert = require('node:assert/strict');
const {test} = require('node:test');
const OpenAI = require('openai');

const {CCR_URL, CCR_TOKEN, TURNS, UPSTREAM} = process.env;
const turns = JSON.parse(TURNS);
const client = new OpenAI({baseURL: `${CCR_URL}/v1`, apiKey: CCR_TOKEN, maxRetries: 0});

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const TOOLS = ['get_weather', 'get_time'].map(name => ({
  type: 'function', function: {name, description: `Says ${name}`, parameters: {type: 'object', properties: {place: {type: 'string'}}}}}));

function ask(model, text = 'How is it?', more = {}) {
  return {model, messages: [{role: 'user', content: text}], ...more};
}

// The calls as the upstream made them, and an answer that holds both results.
async function toolRoundTrip(create) {
  const question = ask('talk,fake-model', 'How is it?', {tools: TOOLS});
  question.messages.unshift({role: 'system', content: 'Be short.'});
  const first = (await create(question)).choices[0];
  const said = turns.talk[0].say;
  assert.equal(first.finish_reason, 'tool_calls');
  assert.equal(first.message.content, said[0].text);
  const calls = first.message.tool_calls;
  assert.deepEqual(calls.map(call => [call.type, call.function.name, JSON.parse(call.function.arguments)]),
                   said.slice(1).map(call => ['function', call.tool, call.input]));
  assert.notEqual(calls[0].id, calls[1].id);
  const answers = calls.map(call => ({
    role: 'tool', tool_call_id: call.id, content: `result of ${call.function.name} in ${JSON.parse(call.function.arguments).place}`}));
  const last = await create({...question, messages: [...question.messages, first.message, ...answers]});
  assert.equal(last.choices[0].finish_reason, 'stop');
  assert.equal(last.choices[0].message.content,
               said.slice(1).map(call => `result of ${call.tool} in ${call.input.place}`).join('; '));
}

function usageOf({usage}) {
  assert.ok(usage.completion_tokens > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  return [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens];
}

function fails(kind, status, message) {
  return error => {
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error}`);
    assert.equal(error.status, status);
    assert.match(error.message, message);
    return true;
  };
}

test('a plain completion', async () => {
  const completion = await client.chat.completions.create(ask('talk,fake-model', 'How is it?', {max_completion_tokens: 100}));
  assert.equal(completion.object, 'chat.completion');
  assert.equal(completion.choices[0].message.content, 'Side answer.');
  assert.equal(completion.choices[0].finish_reason, 'stop');
  assert.deepEqual(usageOf(completion), [40, 30]);
});

test('a streamed completion with its usage', async () => {
  const stream = await client.chat.completions.create(
      ask('talk,fake-model', 'How is it?', {stream: true, stream_options: {include_usage: true}}));
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const pieces = chunks.flatMap(chunk => chunk.choices).map(choice => choice.delta.content).filter(Boolean);
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(''), 'Side answer.');
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.deepEqual(usageOf(chunks.at(-1)), [40, 30]);
});

test('a streamed completion without its usage', async () => {
  const stream = await client.chat.completions.create(ask('talk,fake-model', 'How is it?', {stream: true}));
  for await (const chunk of stream) {
    assert.equal(chunk.choices.length, 1);
    assert.ok(!chunk.usage);
  }
});

test('tools, plain', () => toolRoundTrip(body => client.chat.completions.create(body)));

test('tools, streamed', () => toolRoundTrip(body => client.chat.completions.stream(body).finalChatCompletion()));

test('a forced tool', async () => {
  const completion = await client.chat.completions.create(
      ask('talk,fake-model', 'forced', {tools: TOOLS, tool_choice: {type: 'function', function: {name: 'get_time'}}}));
  assert.equal(completion.choices[0].finish_reason, 'tool_calls');
});

test('an image', async () => {
  const image = {type: 'image_url', image_url: {url: `data:image/png;base64,${PIXEL}`}};
  const completion = await client.chat.completions.create(ask('talk,fake-model', [{type: 'text', text: 'What is it?'}, image]));
  assert.equal(completion.choices[0].message.content, 'Side answer.');
});

test('reasoning, plain and streamed', async () => {
  const [thinking, text] = turns.think[0].say;
  const question = ask('think,fake-model', 'Think.', {reasoning_effort: 'medium'});
  const {message} = (await client.chat.completions.create(question)).choices[0];
  assert.deepEqual([message.reasoning_content, message.content], [thinking.thinking, text.text]);
  const seen = {reasoning_content: '', content: ''};
  for await (const chunk of await client.chat.completions.create({...question, stream: true})) {
    for (const field of Object.keys(seen)) seen[field] += chunk.choices[0].delta[field] ?? '';
  }
  assert.deepEqual(seen, {reasoning_content: thinking.thinking, content: text.text});
});

test('models are listed', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes('fake-model') && ids.includes('talk,fake-model'), `${ids}`);
});

test('embeddings go to providers of the format, responses to all', async () => {
  const embed = () => client.embeddings.create({model: 'talk,fake-model', input: 'text', encoding_format: 'float'});
  assert.equal((await client.responses.create({model: 'talk,fake-model', input: 'text'})).output_text, 'Side answer.');
  if (UPSTREAM === 'openai') {
    assert.deepEqual((await embed()).data[0].embedding, [0.1, 0.2]);
  } else {
    await assert.rejects(embed, fails(OpenAI.InternalServerError, 501, /./));
  }
});

test('with the base URL of one provider', {skip: UPSTREAM !== 'openai'}, async () => {
  const direct = new OpenAI({baseURL: `${CCR_URL}/p/talk`, apiKey: CCR_TOKEN, maxRetries: 0});
  const completion = await direct.chat.completions.create(ask('fake-model'));
  assert.equal(completion.choices[0].message.content, 'Side answer.');
});

test('a wrong client token', () => assert.rejects(
    new OpenAI({baseURL: `${CCR_URL}/v1`, apiKey: 'wrong', maxRetries: 0}).chat.completions.create(ask('talk,fake-model')),
    fails(OpenAI.AuthenticationError, 401, /./)));

test('a bad request keeps the wording of the upstream', () => assert.rejects(
    client.chat.completions.create(ask('bad,fake-model')), fails(OpenAI.BadRequestError, 400, /max_tokens: too many of them/)));

test('so does one that is refused in the stream', () => assert.rejects(
    client.chat.completions.create(ask('late,fake-model', 'How is it?', {stream: true})),
    fails(OpenAI.BadRequestError, 400, /too many tokens/)));

test('a rate limit says when to come back', () => assert.rejects(
    client.chat.completions.create(ask('limited,fake-model')), error => {
      const wait = Number(error.headers.get('retry-after'));
      assert.ok(wait > 0 && wait <= 7, `${wait}`);
      return fails(OpenAI.RateLimitError, 429, /./)(error);
    }));

test('the SDK comes back by itself when it was told to', async () => {
  const completion = await client.chat.completions.create(ask('again,fake-model'), {maxRetries: 2});
  assert.equal(completion.choices[0].message.content, 'Side answer.');
});

test('an overloaded provider', () => assert.rejects(
    client.chat.completions.create(ask('busy,fake-model')), fails(OpenAI.InternalServerError, 529, /too busy/)));

for (const model of ['cut,fake-model', 'breaks,fake-model']) {
  test(`a stream that ends badly: ${model}`, async () => {
    let text = '';
    const stream = await client.chat.completions.create(ask(model, 'How is it?', {stream: true}));
    await assert.rejects(async () => {
      for await (const chunk of stream) text += chunk.choices[0].delta.content ?? '';
    }, error => {
      assert.ok(error instanceof OpenAI.APIError || error.message === 'terminated', `${error.constructor.name}: ${error}`);
      if (model.startsWith('breaks')) assert.match(error.message, /gone wrong midway/);
      return true;
    });
    assert.ok('Side answer.'.startsWith(text) && text.length > 0, text);
  });
}
