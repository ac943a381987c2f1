// Runs a function on AWS's Node runtime client. The client's native HTTP module, which needs a C++
// compiler, is replaced by the one below. Arguments: the client's dist/index.mjs, the folder of the
// function, its handler setting, and optionally the line that marks the end of the output before
// each event.
import http from 'node:http';
import Module from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

const [, , client, folder, handler, mark] = process.argv;
const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const invocations = '/2018-06-01/runtime/invocation/';
// These are kept because the function may replace them.
const { get, Agent } = http;
const { exit, nextTick } = process;
const { setImmediate } = globalThis;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const print = mark && process.stdout.write.bind(process.stdout);

// The native module posts synchronously, so that a post is complete before the function can call
// `process.exit`. Here, a worker posts while this thread waits for it.
const posted = new Int32Array(new SharedArrayBuffer(4));
const worker = new Worker(`
    const http = require('node:http');
    const net = require('node:net');
    const { workerData: { hostname, port, posted }, parentPort } = require('node:worker_threads');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    parentPort.on('message', ({ path, body, headers }) => {
        const end = () => { Atomics.store(posted, 0, 1); Atomics.notify(posted, 0); };
        const request = http.request({ hostname, port, agent, path, method: 'POST', headers }, (response) => {
            response.resume().on('end', end).on('error', end);
        });
        request.on('error', end).end(body);
    });
    // This connection ends with the comparing process, however that ends. Killing the process group
    // then leaves neither a hanging function nor its children behind.
    const end = () => process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL');
    net.connect({ host: hostname, port }).unref().on('error', end).on('close', end);
`, { eval: true, workerData: { hostname, port, posted }, stdout: false });
worker.unref();

const post = (path, body, headers = {}) => {
    Atomics.store(posted, 0, 0);
    const deferred = pending.length > 0 ? { 'x-nodeback-pending': [...new Set(pending)].join(',') } : {};
    worker.postMessage({ path, body, headers: { ...headers, ...deferred } });
    Atomics.wait(posted, 0, 0);
};

// What kept the event loop from being empty when a success was signaled, so that the success
// waited. The client keeps its action at `beforeExit` in a global property: first the one for a
// function without a signal, then the one that sends the success.
let pending = [];
const turns = new Set(['Immediate', 'Timeout']);
// Resources that write the log do not belong to the function.
const log = new Set(['PipeWrap', 'SimpleWriteWrap', 'TTYWrap', 'WriteWrap']);
let listeners = 0;
let noListener;
let listener;
Object.defineProperty(globalThis, Symbol.for('aws.lambda.beforeExit'), {
    get: () => listener,
    set: (value) => {
        noListener ??= value;
        listener = value;
        if (value === noListener || ++listeners < 2) return;
        // Timers and immediates are counted as soon as the code that signaled has ended. A request
        // whose callback signaled ends only after that, so that other resources are counted later.
        nextTick(() => {
            pending = process.getActiveResourcesInfo().filter((name) => turns.has(name));
            setImmediate(() => {
                const others = process.getActiveResourcesInfo().filter((name) => !log.has(name) && !turns.has(name));
                pending.push(...others);
            });
        });
    },
});

const native = {
    next: () => new Promise((resolve) => {
        pending = [];
        listeners = 0;
        // The function's output may lack a newline at its end.
        if (mark) print(`\n${mark}\n`);
        // The comparing process has ended.
        const gone = () => exit(0);
        const request = get({ hostname, port, agent, path: `${invocations}next` }, (response) => {
            const chunks = [];
            response.on('data', (chunk) => chunks.push(chunk)).on('error', gone);
            response.on('end', () => resolve({ bodyJson: Buffer.concat(chunks).toString(), headers: response.headers }));
        });
        request.on('error', gone);
    }),
    done: (id, body) => post(`${invocations}${id}/response`, body),
    error: (id, body) => post(`${invocations}${id}/error`, body),
};

const load = Module._load;
Module._load = (request, ...rest) => request.endsWith('rapid-client.node') ? native : load(request, ...rest);

const { run } = await import(pathToFileURL(client));
await run(folder, handler);
