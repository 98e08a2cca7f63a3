// The real @openai/agents package as a client of the proxy at CCR_URL, with the model MODEL: an agent with tools over
// the Responses API, plain and streamed. npm_clients_test.py sets the providers up; what they say is in TURNS.
const assert = require('node:assert/strict');
const {test} = require('node:test');
const {Agent, OpenAIProvider, Runner, tool} = require('@openai/agents');
const {z} = require('zod');

const {CCR_URL, CCR_TOKEN, MODEL, TURNS} = process.env;
const [calls, last] = JSON.parse(TURNS);
const wanted = calls.say.filter(block => block.tool);
const modelProvider = new OpenAIProvider({baseURL: `${CCR_URL}/v1`, apiKey: CCR_TOKEN, useResponses: true});

function agent(done) {
  const tools = [...new Set(wanted.map(call => call.tool))].map(name => tool({
    name, description: `Does ${name}`, parameters: z.object({place: z.string()}),
    execute: async args => { done.push([name, args]); return `result of ${name}`; }}));
  return new Agent({name: 'one', instructions: 'Be short.', model: MODEL, tools,
                    modelSettings: {store: false, providerData: {include: ['reasoning.encrypted_content']}}});
}

const finalText = last.say[0].text.replace('{result}', wanted.map(call => `result of ${call.tool}`).join('; '));

for (const stream of [false, true]) {
  test(`tools, ${stream ? 'streamed' : 'plain'}`, async () => {
    const done = [];
    const result = await new Runner({modelProvider, tracingDisabled: true}).run(agent(done), 'How is it?', {stream});
    if (stream) {
      let text = '';
      for await (const piece of result.toTextStream()) text += piece;
      await result.completed;
      assert.ok(text.endsWith(finalText), text);
    }
    assert.deepEqual(done, wanted.map(call => [call.tool, call.input]));
    assert.equal(result.finalOutput, finalText);
  });
}
