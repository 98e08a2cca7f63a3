// The real @anthropic-ai/sdk as a client of the proxy at CCR_URL. sdk_test.py sets the providers up, and looks at what
// their upstream saw; what the SDK makes of the answers is looked at here.
const assert = require('node:assert/strict');
const {test} = require('node:test');
const Anthropic = require('@anthropic-ai/sdk');

const {CCR_URL, CCR_TOKEN, TURNS, UPSTREAM} = process.env;
const turns = JSON.parse(TURNS);
const client = new Anthropic({baseURL: CCR_URL, apiKey: CCR_TOKEN, maxRetries: 0});

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const TOOLS = ['get_weather', 'get_time'].map(name => (
    {name, description: `Says ${name}`, input_schema: {type: 'object', properties: {place: {type: 'string'}}}}));

function ask(model, text = 'How is it?', more = {}) {
  return {model, max_tokens: 1000, messages: [{role: 'user', content: text}], ...more};
}

function results(message) {
  return message.content.filter(block => block.type === 'tool_use')
      .map(call => ({type: 'tool_result', tool_use_id: call.id, content: `result of ${call.name} in ${call.input.place}`}));
}

// The calls as the upstream made them, and an answer that holds both results.
async function toolRoundTrip(create) {
  const question = ask('talk,fake-model', 'How is it?', {tools: TOOLS, system: 'Be short.'});
  const first = await create(question);
  const said = turns.talk[0].say;
  assert.equal(first.stop_reason, 'tool_use');
  assert.deepEqual(first.content.map(block => block.type), ['text', 'tool_use', 'tool_use']);
  assert.equal(first.content[0].text, said[0].text);
  assert.deepEqual(first.content.slice(1).map(call => [call.name, call.input]), said.slice(1).map(call => [call.tool, call.input]));
  assert.notEqual(first.content[1].id, first.content[2].id);
  const last = await create({...question, messages: [
    ...question.messages, {role: 'assistant', content: first.content}, {role: 'user', content: results(first)}]});
  assert.equal(last.stop_reason, 'end_turn');
  assert.notEqual(last.id, first.id);
  assert.equal(last.content[0].text, said.slice(1).map(call => `result of ${call.tool} in ${call.input.place}`).join('; '));
  return last;
}

function usageOf(message) {
  const {input_tokens, cache_read_input_tokens, output_tokens} = message.usage;
  assert.ok(output_tokens > 0);
  return [input_tokens, cache_read_input_tokens];
}

function fails(kind, status, message) {
  return error => {
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error}`);
    assert.equal(error.status, status);
    assert.match(error.message, message);
    assert.equal(error.error.type, 'error');
    return true;
  };
}

test('a plain message', async () => {
  const message = await client.messages.create(ask('talk,fake-model'));
  assert.deepEqual([message.type, message.role, message.stop_reason], ['message', 'assistant', 'end_turn']);
  assert.deepEqual(message.content, [{type: 'text', text: 'Side answer.'}]);
  assert.deepEqual(usageOf(message), [10, 30]);
});

test('a streamed message', async () => {
  const stream = client.messages.stream(ask('talk,fake-model'));
  const pieces = [];
  stream.on('text', piece => pieces.push(piece));
  const message = await stream.finalMessage();
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(''), 'Side answer.');
  assert.equal(message.content[0].text, 'Side answer.');
  assert.deepEqual(usageOf(message), [10, 30]);
});

test('tools, plain', () => toolRoundTrip(body => client.messages.create(body)));

test('tools, streamed', async () => {
  const last = await toolRoundTrip(body => client.messages.stream(body).finalMessage());
  assert.deepEqual(usageOf(last), [10, 30]);
});

test('a forced tool', async () => {
  const message = await client.messages.create(
      ask('talk,fake-model', 'forced', {tools: TOOLS, tool_choice: {type: 'tool', name: 'get_time'}}));
  assert.equal(message.stop_reason, 'tool_use');
});

test('an image and a long system prompt', async () => {
  const image = {type: 'image', source: {type: 'base64', media_type: 'image/png', data: PIXEL}};
  const message = await client.messages.create(ask('talk,fake-model', [image, {type: 'text', text: 'What is it?'}], {
    system: [{type: 'text', text: 'One.'}, {type: 'text', text: 'Two.', cache_control: {type: 'ephemeral'}}]}));
  assert.equal(message.content[0].text, 'Side answer.');
});

for (const [name, create] of [['plain', body => client.messages.create(body)],
                              ['streamed', body => client.messages.stream(body).finalMessage()]]) {
  test(`thinking, ${name}`, async () => {
    const message = await create(ask('think,fake-model', 'Think.', {max_tokens: 4000, thinking: {type: 'enabled', budget_tokens: 2000}}));
    assert.deepEqual(message.content.map(block => block.type), ['thinking', 'text']);
    assert.equal(message.content[0].thinking, turns.think[0].say[0].thinking);
    assert.equal(message.content[1].text, turns.think[0].say[1].text);
  });
}

test('tokens are counted', async () => {
  const {input_tokens} = await client.messages.countTokens({model: 'talk,fake-model', messages: [{role: 'user', content: 'How is it?'}]});
  assert.ok(input_tokens > 0 && input_tokens < 20, `${input_tokens}`);
});

test('models are listed', async () => {
  const ids = [];
  for await (const model of client.models.list({limit: 1000})) {
    assert.ok(model.display_name);
    ids.push(model.id);
  }
  assert.ok(ids.includes('fake-model') && ids.includes('talk,fake-model'), `${ids}`);
});

test('a bearer token will do as well', async () => {
  const bearer = new Anthropic({baseURL: CCR_URL, apiKey: null, authToken: CCR_TOKEN, maxRetries: 0});
  await bearer.messages.create(ask('talk,fake-model'));
});

test('with the base URL of one provider', {skip: UPSTREAM !== 'anthropic'}, async () => {
  const direct = new Anthropic({baseURL: `${CCR_URL}/p/talk`, apiKey: CCR_TOKEN, maxRetries: 0});
  const message = await direct.messages.create(ask('fake-model'));
  assert.equal(message.content[0].text, 'Side answer.');
});

test('a wrong client token', () => assert.rejects(
    new Anthropic({baseURL: CCR_URL, apiKey: 'wrong', maxRetries: 0}).messages.create(ask('talk,fake-model')),
    fails(Anthropic.AuthenticationError, 401, /./)));

test('a bad request keeps the wording of the upstream', () => assert.rejects(
    client.messages.create(ask('bad,fake-model')), fails(Anthropic.BadRequestError, 400, /max_tokens: too many of them/)));

test('so does one that is refused in the stream', () => assert.rejects(
    client.messages.create(ask('late,fake-model', 'How is it?', {stream: true})),
    fails(Anthropic.BadRequestError, 400, /too many tokens/)));

test('a rate limit says when to come back', () => assert.rejects(
    client.messages.create(ask('limited,fake-model')), error => {
      const wait = Number(error.headers.get('retry-after'));
      assert.ok(wait > 0 && wait <= 7, `${wait}`);
      return fails(Anthropic.RateLimitError, 429, /./)(error);
    }));

test('the SDK comes back by itself when it was told to', async () => {
  const message = await client.messages.create(ask('again,fake-model'), {maxRetries: 2});
  assert.equal(message.content[0].text, 'Side answer.');
});

test('an overloaded provider', () => assert.rejects(
    client.messages.create(ask('busy,fake-model')), fails(Anthropic.InternalServerError, 529, /too busy/)));

for (const model of ['cut,fake-model', 'breaks,fake-model']) {
  test(`a stream that ends badly: ${model}`, async () => {
    const pieces = [];
    const stream = client.messages.stream(ask(model));
    stream.on('text', piece => pieces.push(piece));
    await assert.rejects(stream.finalMessage(), error => {
      assert.ok(error instanceof Anthropic.APIError, `${error.constructor.name}: ${error}`);
      if (model.startsWith('breaks')) assert.match(error.message, /gone wrong midway/);
      return true;
    });
    assert.ok('Side answer.'.startsWith(pieces.join('')) && pieces.length > 0);
  });
}
