// The real @google/genai package as a client of the proxy at CCR_URL, with the model MODEL: a chat with tools, plain and
// streamed. npm_clients_test.py sets the providers up; what they say is in TURNS.
const assert = require('node:assert/strict');
const {test} = require('node:test');
const {GoogleGenAI} = require('@google/genai');

const {CCR_URL, CCR_TOKEN, MODEL, TURNS} = process.env;
const [calls, last] = JSON.parse(TURNS);
const wanted = calls.say.filter(block => block.tool);
const client = new GoogleGenAI({apiKey: CCR_TOKEN, httpOptions: {baseUrl: CCR_URL}});

function chat() {
  const functionDeclarations = wanted.map(call => ({
    name: call.tool, description: `Does ${call.tool}`,
    parametersJsonSchema: {type: 'object', properties: {place: {type: 'string'}}}}));
  return client.chats.create({model: MODEL, config: {
    systemInstruction: 'Be short.', tools: [{functionDeclarations}], thinkingConfig: {includeThoughts: true}}});
}

async function converse(send) {
  const one = chat();
  const first = await send(one, {message: 'How is it?'});
  assert.equal(first.text, calls.say.find(block => block.text).text);
  assert.deepEqual(first.calls.map(call => [call.name, call.args]), wanted.map(call => [call.tool, call.input]));
  const second = await send(one, {message: first.calls.map(call => ({
    functionResponse: {id: call.id, name: call.name, response: {output: `result of ${call.name}`}}}))});
  assert.equal(second.text, last.say[0].text.replace('{result}', wanted.map(call => `result of ${call.tool}`).join('; ')));
  assert.equal(second.finish, 'STOP');
  assert.equal(second.usage.promptTokenCount, 40);
}

test('tools, plain', () => converse(async (one, message) => {
  const answer = await one.sendMessage(message);
  return {text: answer.text ?? '', calls: answer.functionCalls ?? [], finish: answer.candidates[0].finishReason, usage: answer.usageMetadata};
}));

test('tools, streamed', () => converse(async (one, message) => {
  const whole = {text: '', calls: []};
  for await (const chunk of await one.sendMessageStream(message)) {
    whole.text += chunk.text ?? '';
    whole.calls.push(...chunk.functionCalls ?? []);
    whole.finish = chunk.candidates?.[0]?.finishReason ?? whole.finish;
    whole.usage = chunk.usageMetadata ?? whole.usage;
  }
  return whole;
}));

test('a model that is not there', async () => {
  await assert.rejects(client.models.generateContent({model: 'nowhere,m', contents: 'hi'}), error => error.status >= 400 && error.status < 500);
});
