// Wraps a deployed Lambda function on Node 20 or 22, and writes one line of JSON for each invocation, with the event, the
// members of the context, and the outcome. `--against ... --recorded` of nodeback compares a port with these lines.
//
// Change the handler setting of the function to `capture.handler`, and set these environment variables:
//
//   CAPTURE_HANDLER  the handler setting of the original, such as `index.handler`
//   CAPTURE_REDACT   patterns of what must not be written, such as `/headers/authorization,/items/*/card`, or `none`
//   CAPTURE_FOLDER   the folder for the files with the lines; without it, the lines go to the log
//   CAPTURE_LIMIT    the number of invocations that each process writes; the default is 100
//
// The wrapper does not change what the function responds, or when. An error in this file costs the line, but never the
// invocation.
import { appendFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';

const { CAPTURE_HANDLER, CAPTURE_REDACT, CAPTURE_FOLDER, CAPTURE_LIMIT, LAMBDA_TASK_ROOT = '.' } = process.env;
// The longest line, in bytes. A longer one would not be a single event in the log.
const LINE = 200_000;
const REDACTED = '[redacted]';
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const MEMBERS = ['awsRequestId', 'functionName', 'functionVersion', 'invokedFunctionArn', 'memoryLimitInMB', 'logGroupName',
    'logStreamName', 'clientContext', 'identity'];
// Kept here because the function may replace them.
const { parse, stringify } = JSON;
const toLog = process.stdout.write.bind(process.stdout);

// Each process has its own file.
const FILE = `${Date.now()}-${process.pid}.jsonl`;
function write(text) {
    if (CAPTURE_FOLDER) appendFileSync(path.join(CAPTURE_FOLDER, FILE), text);
    else toLog(text);
}

// The current invocation, until it has an outcome.
let open;

// Runs code of this file, whose errors must not reach the function. The message of an error is not written, since it may
// quote an event.
function quietly(work) {
    try {
        return work();
    } catch {
        open = undefined;
        try { toLog('capture.mjs: an invocation could not be captured\n'); } catch { /* There is no log. */ }
    }
}

// JSON pointers, in which `*` stands for any member. Without them, nothing is captured.
const patterns = (CAPTURE_REDACT === 'none' ? '' : CAPTURE_REDACT ?? '').split(/[\s,]+/).filter(Boolean).map((text) =>
    text.startsWith('/') && text.slice(1).split('/').map((name) => name.replace(/~1/g, '/').replace(/~0/g, '~').toLowerCase()));
let left = CAPTURE_LIMIT === undefined ? 100 : Number(CAPTURE_LIMIT);
if (!CAPTURE_REDACT || patterns.includes(false) || Number.isNaN(left)) {
    left = 0;
    quietly(() => toLog('capture.mjs: nothing is captured: CAPTURE_REDACT expects patterns such as '
        + '/headers/authorization,/items/*/card, or none; CAPTURE_LIMIT expects a number\n'));
}

// Redacts the members of a value in place, and adds the JSON pointers of what it redacted to a list.
function redact(value, patterns, redacted, pointer = '') {
    if (typeof value === 'string') {
        let inner;
        try { inner = parse(value); } catch { /* a text */ }
        if (inner !== null && typeof inner === 'object') {
            // JSON in a string, such as the body of a request.
            const within = [];
            const result = redact(inner, patterns, within);
            if (within.length > 0) redacted.push(pointer);
            return within.length > 0 ? stringify(result) : value;
        }
        // A pattern leads into this text, which is not JSON (Base64, for example), so the whole text is redacted.
        if (pointer === '') return value;
        redacted.push(pointer);
        return REDACTED;
    }
    if (value === null || typeof value !== 'object') return value;
    for (const key of Object.keys(value)) {
        const at = `${pointer}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`;
        const rest = patterns.filter(([name]) => name === '*' || name === key.toLowerCase()).map((pattern) => pattern.slice(1));
        if (rest.some((pattern) => pattern.length === 0)) {
            redacted.push(at);
            value[key] = REDACTED;
        } else if (rest.length > 0) value[key] = redact(value[key], rest, redacted, at);
    }
    return value;
}

// Returns an error as Lambda reports it, without the trace.
function described(error) {
    const isText = (text) => text && typeof text === 'string';
    const escaped = (text) => text.replace(/\x7F/g, '%7F');
    try {
        if (types.isNativeError(error) || [error.name, error.message, error.stack].every(isText)) {
            // Lambda reads the stack, too, which the function may have deleted.
            escaped(error.stack);
            const [errorType, errorMessage] = [error.name, error.message].map((text) => text == null ? undefined : escaped(text));
            return { errorType, errorMessage };
        }
    } catch {
        return {
            errorType: 'handled',
            errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its '
                + 'message, name, and stack',
        };
    }
    return { errorType: typeof error, errorMessage: error.toString() };
}

function begin(event, context) {
    if (!(left > 0)) return undefined;
    // Serialized here because the function may change them.
    const eventText = stringify(event);
    const contextText = stringify(Object.fromEntries(MEMBERS.map((name) => [name, context[name]])));
    const invocation = {
        isSignalled: false,
        // Ends the invocation with a result that waits until the event loop is empty.
        waiting: undefined,
        end: (outcome) => {
            if (open !== invocation) return;
            open = undefined;
            const redacted = [];
            const line = {
                nodebackCapture: 1,
                event: redact(parse(eventText), patterns, []),
                context: redact(parse(contextText), patterns, []),
                outcome,
            };
            left -= 1;
            for (const kind of ['response', 'error']) {
                if (outcome[kind] === undefined) continue;
                const isWhole = kind === 'response' && patterns.some((pattern) => pattern.length === 1 && pattern[0] === '');
                if (isWhole) redacted.push('');
                outcome[kind] = isWhole ? REDACTED : redact(outcome[kind], patterns, redacted);
            }
            const text = stringify(redacted.length > 0 ? { ...line, redacted } : line);
            const size = Buffer.byteLength(text);
            if (size <= LINE) write(`${text}\n`);
            else toLog(`capture.mjs: an invocation was not captured: it takes ${size} of ${LINE} bytes\n`);
        },
        // Lambda takes the first signal. If it cannot serialize the result, it signals an error afterwards.
        signal: (error, result, waits) => {
            if (invocation.isSignalled) return;
            if (error !== undefined && error !== null) invocation.end({ error: described(error) });
            else if (waits) invocation.waiting = () => invocation.respond(result);
            else if (!invocation.respond(result)) return;
            invocation.isSignalled = true;
        },
        respond: (result) => {
            let text;
            try { text = stringify(result === undefined ? null : result); } catch { return false; }
            invocation.end({ response: parse(text) });
            return true;
        },
    };
    return invocation;
}

function wrap(original) {
    return function (event, context, callback) {
        const invocation = open = quietly(() => begin(event, context));
        if (!invocation) return original.call(this, event, context, callback);
        const signal = (...signal) => quietly(() => invocation.signal(...signal));
        const { succeed, fail, done } = context;
        // Lambda also calls these methods for an async function.
        context.succeed = function (result) { signal(null, result); return succeed.apply(this, arguments); };
        context.fail = function (error) { signal(error ?? 'handled'); return fail.apply(this, arguments); };
        context.done = function (error, result) { signal(error, result); return done.apply(this, arguments); };
        try {
            return original.call(this, event, context, function (error, result) {
                signal(error, result, context.callbackWaitsForEmptyEventLoop);
                return callback.apply(this, arguments);
            });
        } catch (error) {
            signal(error);
            throw error;
        }
    };
}

// Lambda listens for all of these events itself, so listening for them here does not change how the process ends.
process.prependListener('beforeExit', () => open && quietly(open.waiting ?? (() => open.end({ response: null }))));
process.on('uncaughtExceptionMonitor', (error) => open && quietly(() => open.end({ error: described(error) })));
process.prependListener('unhandledRejection', (reason) => open && quietly(() =>
    open.end({ error: { errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: String(reason) } })));
process.on('exit', () => open && quietly(() => open.end('nothing')));

async function load() {
    const [, folder, module, names] = /^(.*\/)?([^./]*)\.(.+)$/.exec(CAPTURE_HANDLER ?? '') ?? [];
    const files = ['', '.js', '.mjs', '.cjs'].map((extension) =>
        path.resolve(LAMBDA_TASK_ROOT, folder ?? '', module + extension));
    const file = module && files.find(existsSync);
    if (!file) {
        const expected = 'expected the handler setting of the original, such as index.handler';
        throw new Error(`CAPTURE_HANDLER is ${CAPTURE_HANDLER}: ${expected}`);
    }
    let exports;
    try {
        exports = createRequire(import.meta.url)(file);
    } catch (error) {
        if (!/^ERR_REQUIRE_(ESM|ASYNC_MODULE)$/.test(error.code)) throw error;
        exports = await import(pathToFileURL(file));
    }
    const original = names.split('.').reduce((value, name) => value?.[name], exports);
    if (typeof original !== 'function') {
        throw new Error(`CAPTURE_HANDLER is ${CAPTURE_HANDLER}: ${file} exports no such function`);
    }
    return original;
}

const original = await load();
// A streamed response is not captured.
export const handler = original[STREAMING] ? original : wrap(original);
