// A small MCP server on the TypeScript SDK v2, for tests: it speaks 2026-07-28
// and everything before.
//
//   node v2-demo.mjs stdio
//   node v2-demo.mjs http <port>    prints its URL once it listens; port 0 takes a free one

import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node';
import {
  McpServer,
  ResourceTemplate,
  acceptedContent,
  completable,
  createMcpHandler,
  inputRequired,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

// How often each nonce has been executed by this process. Over HTTP the SDK makes
// a server for each request, so this must not belong to one of them.
const executions = new Map();

const pixel =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

const text = (content) => ({ content: [{ type: 'text', text: content }] });

// announce tells those who listen what has changed. Without it the server does so
// itself, which over HTTP only lives for one request.
function newServer(announce) {
  const server = new McpServer(
    { name: 'v2-demo', version: '1.0.0' },
    { capabilities: { logging: {}, resources: { subscribe: true, listChanged: true } }, instructions: 'A peer for tests.' },
  );
  addPlainTools(server);
  addSlowTool(server);
  addAskTool(server);
  addAnnouncingTools(
    server,
    announce ?? {
      toolsChanged: () => server.sendToolListChanged(),
      resourceUpdated: (uri) => server.server.sendResourceUpdated({ uri }),
    },
  );
  addResources(server);
  addPrompts(server);
  return server;
}

function addPlainTools(server) {
  server.registerTool(
    'echo',
    { description: 'returns the message', inputSchema: z.object({ message: z.string() }) },
    ({ message }) => text(message),
  );
  server.registerTool(
    'add',
    {
      description: 'adds two numbers',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
    },
    ({ a, b }) => ({ ...text(String(a + b)), structuredContent: { sum: a + b } }),
  );
  // 2026-07-28 allows any JSON value as structured content, not only objects.
  server.registerTool(
    'range',
    {
      description: 'lists the integers below n',
      inputSchema: z.object({ n: z.number().int().min(0).max(1000) }),
      outputSchema: z.array(z.number()),
    },
    ({ n }) => {
      const numbers = Array.from({ length: n }, (_, i) => i);
      return { ...text(JSON.stringify(numbers)), structuredContent: numbers };
    },
  );
  server.registerTool('image', { description: 'returns one pixel' }, () => ({
    content: [{ type: 'image', data: pixel, mimeType: 'image/png' }],
  }));
  server.registerTool('meta', { description: 'returns the _meta it received' }, (ctx) =>
    text(JSON.stringify({ ...ctx.mcpReq._meta, ...ctx.mcpReq.envelope })),
  );
  server.registerTool(
    'nonce',
    {
      description: 'returns how often it was called with this nonce',
      inputSchema: z.object({ nonce: z.string() }),
    },
    ({ nonce }) => {
      const count = (executions.get(nonce) ?? 0) + 1;
      executions.set(nonce, count);
      return text(String(count));
    },
  );
}

// slow reports progress and logs at each step, and stops when it is cancelled.
function addSlowTool(server) {
  server.registerTool(
    'slow',
    {
      description: 'works in steps, with progress and log',
      inputSchema: z.object({ steps: z.number().int().min(1), interval_ms: z.number().int().min(0) }),
    },
    async ({ steps, interval_ms }, ctx) => {
      const { _meta, signal } = ctx.mcpReq;
      for (let step = 1; step <= steps; step++) {
        await sleep(interval_ms, undefined, { signal });
        if (_meta?.progressToken !== undefined) {
          const params = { progressToken: _meta.progressToken, progress: step, total: steps, message: `step ${step}` };
          await ctx.mcpReq.notify({ method: 'notifications/progress', params });
        }
        await ctx.mcpReq.log('info', `step ${step}`, 'slow');
      }
      return text(`did ${steps} steps`);
    },
  );
}

function addAskTool(server) {
  const form = z.object({ name: z.string() });
  server.registerTool('ask', { description: 'elicits a name' }, (ctx) => {
    const answer = acceptedContent(ctx.mcpReq.inputResponses, 'name', form);
    if (answer !== undefined) {
      return text(answer.name);
    }
    if (ctx.mcpReq.inputResponses?.name !== undefined) {
      return text('nobody');
    }
    return inputRequired({
      inputRequests: { name: inputRequired.elicit({ message: 'What is your name?', requestedSchema: form }) },
    });
  });
}

// grow and touch only say that the list of tools, or a resource, has changed.
function addAnnouncingTools(server, announce) {
  server.registerTool('grow', { description: 'announces other tools' }, async () => {
    await announce.toolsChanged();
    return text('grown');
  });
  server.registerTool(
    'touch',
    { description: 'announces a resource update', inputSchema: z.object({ uri: z.string() }) },
    async ({ uri }) => {
      await announce.resourceUpdated(uri);
      return text(uri);
    },
  );
}

function addResources(server) {
  server.registerResource('text', 'test://text', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'some text' }],
  }));
  server.registerResource('bytes', 'test://bytes', { mimeType: 'image/png' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'image/png', blob: pixel }],
  }));
  server.registerResource(
    'item',
    new ResourceTemplate('test://item/{id}', { list: undefined }),
    { mimeType: 'text/plain' },
    (uri, { id }) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: `item ${id}` }] }),
  );
}

function addPrompts(server) {
  const tones = ['warmly', 'wearily', 'formally'];
  const tone = completable(z.string(), (value) => tones.filter((known) => known.startsWith(value)));
  server.registerPrompt(
    'greet',
    { description: 'asks for a greeting', argsSchema: z.object({ name: z.string(), tone: tone.optional() }) },
    ({ name, tone }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: ['Greet', name, tone].filter(Boolean).join(' ') } }],
    }),
  );
}

function serveHTTP(port) {
  const served = createMcpHandler(() => newServer(served.notify));
  const handler = toNodeHandler(served);
  const validHost = localhostHostValidation();
  const validOrigin = localhostOriginValidation();
  const server = createServer((request, response) => {
    if (validHost(request, response) && validOrigin(request, response)) {
      handler(request, response);
    }
  });
  server.listen(port, '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/mcp`);
  });
}

const [mode, port] = process.argv.slice(2);
if (mode === 'stdio') {
  serveStdio(() => newServer());
} else if (mode === 'http' && /^\d+$/.test(port ?? '')) {
  serveHTTP(Number(port));
} else {
  console.error('usage: node v2-demo.mjs stdio | http <port>');
  process.exitCode = 2;
}
